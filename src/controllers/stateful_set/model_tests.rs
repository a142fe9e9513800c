//! A set on two nodes of which either may be lost: never two of one name.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::world::{World, pod_key, web};
use super::{StatefulSets, identity};
use crate::objects::{NODES, PODS};
use crate::testing::pod_gc;
use crate::{Controller, Key, Plan};
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use serde_json::json;
use std::collections::BTreeMap;

/// What may happen between two plans.
#[derive(Debug, Clone)]
enum Step {
    Plan,
    /// A plan is made, and carried out only after something else has happened.
    Late(Box<Step>),
    Scale(i64),
    Image(u8),
    Delete(usize),
    Crash(usize),
    Start(usize),
    /// An agent has stopped a pod's containers and says so.
    Ended(usize),
    Lose(usize),
    Find(usize),
    Gc,
}

fn step() -> impl Strategy<Value = Step> {
    let simple = prop_oneof![
        6 => Just(Step::Plan),
        1 => (0..4_i64).prop_map(Step::Scale),
        1 => (1..4_u8).prop_map(Step::Image),
        1 => any::<usize>().prop_map(Step::Delete),
        1 => any::<usize>().prop_map(Step::Crash),
        5 => any::<usize>().prop_map(Step::Start),
        4 => any::<usize>().prop_map(Step::Ended),
        1 => (0..2_usize).prop_map(Step::Lose),
        2 => (0..2_usize).prop_map(Step::Find),
        1 => Just(Step::Gc),
    ];
    let late = simple.clone().prop_map(|step| Step::Late(Box::new(step)));
    prop_oneof![6 => simple, 1 => late]
}

/// Two nodes whose containers go on running when nobody hears of them.
struct Machines {
    world: World,
    ordered: bool,
    /// Containers that run: pod uid to identity and node.
    running: BTreeMap<String, (String, usize)>,
    lost: [bool; 2],
}

impl Machines {
    fn new(ordered: bool) -> Self {
        let mut set_ = web(2);
        set(&mut set_, "spec.podManagementPolicy", if ordered { "OrderedReady" } else { "Parallel" });
        let mut world = World::new(set_);
        world.cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        Self { world, ordered, running: BTreeMap::new(), lost: [false; 2] }
    }

    fn pick(&self, at: usize) -> Option<Key> {
        let names = self.world.pods();
        (!names.is_empty()).then(|| pod_key(&names[at % names.len()]))
    }

    fn take(&mut self, step: Step) {
        let controller = StatefulSets;
        match step {
            Step::Plan => {
                let key = self.world.key.clone();
                let plan = self.world.cluster.step(&controller, &key);
                self.check(&plan);
            }
            Step::Late(between) => {
                let now = self.world.cluster.now();
                let plan = controller.plan(&self.world.cluster.view(), &self.world.key, &now);
                self.take(*between);
                for chain in plan.all_chains() {
                    let _ = chain.iter().try_for_each(|action| self.world.cluster.execute(action));
                }
            }
            Step::Scale(size) => self.world.edit("spec.replicas", size),
            Step::Image(image) => self.world.new_image(&format!("i:{image}")),
            Step::Delete(at) => {
                if let Some(key) = self.pick(at) {
                    let pod = self.world.cluster.json(&key);
                    self.world.cluster.delete(pod, None, None);
                }
            }
            Step::Start(at) => {
                if let Some(key) = self.pick(at) {
                    self.start(&key, at);
                }
            }
            Step::Crash(at) => {
                if let Some(key) = self.pick(at) {
                    let uid = self.world.cluster.view().get(&key).unwrap().meta.uid.to_string();
                    if self.running.get(&uid).is_some_and(|(_, node)| !self.lost[*node]) {
                        self.running.remove(&uid);
                        self.world.cluster.edit(&key, |pod| set(pod, "status.phase", "Failed"));
                    }
                }
            }
            Step::Ended(at) => {
                if let Some(key) = self.pick(at) {
                    self.ended(&key);
                }
            }
            Step::Lose(node) => self.hear(node, false),
            Step::Find(node) => self.hear(node, true),
            Step::Gc => self.world.cluster.settle(&[&pod_gc()]),
        }
        let mut names: Vec<&String> = self.running.values().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "two of one identity run: {:?}", self.running);
    }

    fn ended(&mut self, key: &Key) {
        let object = self.world.cluster.view().get(key).unwrap().clone();
        let node = self.running.get(&*object.meta.uid).map(|(_, node)| *node);
        if object.meta.deleting && node.is_none_or(|node| !self.lost[node]) {
            self.running.remove(&*object.meta.uid);
            self.world.cluster.remove(key);
        }
    }

    fn start(&mut self, key: &Key, at: usize) {
        let object = self.world.cluster.view().get(key).unwrap().clone();
        let json = self.world.cluster.json(key);
        if object.meta.deleting || json.text("status.phase") != "Pending" {
            return;
        }
        let node = at / 7 % 2;
        if !self.lost[node] {
            self.running.insert(object.meta.uid.to_string(), (key.name().to_owned(), node));
            self.world.cluster.edit(key, |pod| set(pod, "spec.nodeName", format!("n{}", node + 1)));
            self.world.cluster.run_pod(key, true);
        }
    }

    fn hear(&mut self, node: usize, heard: bool) {
        self.lost[node] = !heard;
        let ready = if heard { "True" } else { "Unknown" };
        self.world.cluster.edit(&Key::new(&NODES, "", &format!("n{}", node + 1)), |node| {
            set(node, "status.conditions", json!([{"type": "Ready", "status": ready}]));
        });
    }

    /// An ordered set makes a pod only when all before it serve, and ends one at a time.
    fn check(&self, plan: &Plan) {
        if !self.ordered {
            return;
        }
        let of = |verb: &str| -> Vec<i32> {
            let pods = plan.actions().filter(|action| action.verb() == verb && action.key().resource == *PODS);
            pods.map(|action| identity::split(action.key().name()).unwrap().1).collect()
        };
        let (made, ended) = (of("create"), of("delete"));
        assert!(made.len() + ended.len() <= 1, "{plan}");
        for ordinal in made.iter().flat_map(|made| 0..*made) {
            let pod = self.world.cluster.json(&pod_key(&format!("web-{ordinal}")));
            assert!(raftsman_api::pod::is_ready(&pod) && !pod.has("metadata.deletionTimestamp"), "{plan}");
        }
    }

    /// Everything is found again and left alone.
    fn heal(&mut self) {
        self.hear(0, true);
        self.hear(1, true);
        for _ in 0..200 {
            let before = self.world.cluster.view().revision();
            self.world.settle();
            for (at, name) in self.world.pods().into_iter().enumerate() {
                let key = pod_key(&name);
                if self.world.cluster.view().get(&key).unwrap().meta.deleting {
                    self.ended(&key);
                } else {
                    self.start(&key, at);
                }
            }
            if self.world.cluster.view().revision() == before {
                return;
            }
        }
        panic!("it does not come to rest");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    /// Whatever happens: never two of one identity, order is kept, and in the end the set is what it says.
    #[test]
    fn one_of_each_name_and_in_order(ordered: bool, steps in prop::collection::vec(step(), 0..80)) {
        let mut machines = Machines::new(ordered);
        for step in steps {
            machines.take(step);
        }
        machines.heal();
        let wanted = machines.world.cluster.json(&machines.world.key).int("spec.replicas").unwrap();
        let expected: Vec<String> = (0..wanted).map(|ordinal| format!("web-{ordinal}")).collect();
        prop_assert_eq!(machines.world.pods(), expected);
        let image = machines.world.cluster.json(&machines.world.key).list("spec.template.spec.containers")[0].text("image").to_owned();
        prop_assert!(machines.world.images().iter().all(|found| *found == image));
        prop_assert_eq!(machines.world.status().int("readyReplicas").unwrap_or(0), wanted);
    }
}
