#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::objects::{EVENTS, NODES};

use crate::testing::{Cluster, pod_gc};
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn web(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "x", "generation": 1},
        "spec": {
            "replicas": replicas, "serviceName": "peers", "selector": {"matchLabels": {"app": "web"}},
            "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        },
    })
}

fn pod_key(name: &str) -> Key {
    Key::new(&PODS, "x", name)
}

struct World {
    cluster: Cluster,
    key: Key,
}

impl World {
    fn new(set: Value) -> Self {
        let mut cluster = Cluster::default();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let key = cluster.put(set).key.clone();
        Self { cluster, key }
    }

    fn settle(&mut self) {
        self.cluster.settle(&[&StatefulSets]);
    }

    fn pods(&self) -> Vec<String> {
        self.cluster.names(&PODS)
    }

    /// Places and runs what waits, and lets go what ends: everything that nodes do.
    fn nodes_work(&mut self) {
        for name in self.pods() {
            let key = pod_key(&name);
            if self.cluster.view().get(&key).unwrap().meta.deleting {
                self.cluster.remove(&key);
            } else if self.cluster.json(&key).text("status.phase") == "Pending" {
                self.cluster.edit(&key, |pod| set(pod, "spec.nodeName", "n1"));
                self.cluster.run_pod(&key, true);
            }
        }
    }

    /// Lets controller and nodes work in turn until nothing changes; gives the sets of pods that there were.
    fn run(&mut self) -> Vec<Vec<String>> {
        let mut seen = Vec::new();
        for _ in 0..50 {
            self.settle();
            seen.push(self.pods());
            seen.dedup();
            let before = self.cluster.view().revision();
            self.nodes_work();
            if self.cluster.view().revision() == before {
                return seen;
            }
        }
        panic!("no rest: {seen:?}");
    }

    fn status(&self) -> Value {
        self.cluster.json(&self.key).at("status").clone()
    }

    fn images(&self) -> Vec<String> {
        let image = |name: &String| {
            let json = self.cluster.json(&pod_key(name));
            json.list("spec.containers")[0].text("image").to_owned()
        };
        self.pods().iter().map(image).collect()
    }

    fn edit(&mut self, path: &str, value: impl Into<Value>) {
        let value = value.into();
        self.cluster.edit(&self.key.clone(), |object| set(object, path, value));
    }

    fn new_image(&mut self, image: &str) {
        self.edit("spec.template.spec.containers", json!([{"name": "c", "image": image}]));
    }
}

#[test]
fn pods_come_one_by_one_and_go_in_reverse() {
    let mut world = World::new(web(3));
    assert_eq!(world.run(), [vec!["web-0"], vec!["web-0", "web-1"], vec!["web-0", "web-1", "web-2"]]);
    let pod = world.cluster.json(&pod_key("web-1"));
    assert_eq!((pod.text("spec.hostname"), pod.text("spec.subdomain")), ("web-1", "peers"));
    let labels = pod.at("metadata.labels");
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "web-1");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    assert_eq!(labels["controller-revision-hash"], world.status()["updateRevision"]);
    let status = world.status();
    for count in ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"] {
        assert_eq!(status[count], 3, "{count}: {status}");
    }
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    world.edit("spec.replicas", 1);
    let seen = world.run();
    assert_eq!(seen[0], ["web-0", "web-1", "web-2"], "one ends at a time");
    assert!(seen.contains(&vec!["web-0".to_owned(), "web-1".to_owned()]), "{seen:?}");
    assert_eq!(world.pods(), ["web-0"]);
}

#[test]
fn a_parallel_set_does_everything_at_once_and_begins_where_it_is_told() {
    let mut set_ = web(3);
    set(&mut set_, "spec.podManagementPolicy", "Parallel");
    set(&mut set_, "spec.ordinals.start", 5);
    let mut world = World::new(set_);
    assert_eq!(world.run(), [["web-5", "web-6", "web-7"]]);
    world.edit("spec.ordinals.start", 6);
    world.run();
    assert_eq!(world.pods(), ["web-6", "web-7", "web-8"]);
    world.edit("spec.replicas", 0);
    world.settle();
    let view = world.cluster.view();
    assert!(view.list(&PODS, None).all(|pod| pod.meta.deleting));
}

#[test]
fn availability_is_waited_for() {
    let mut set_ = web(2);
    set(&mut set_, "spec.minReadySeconds", 10);
    let mut world = World::new(set_);
    world.settle();
    world.nodes_work();
    let plan = world.cluster.step(&StatefulSets, &world.key.clone());
    assert_eq!(plan.requeue_after, Some(std::time::Duration::from_secs(10)));
    assert_eq!((world.pods(), &world.status()["availableReplicas"]), (vec!["web-0".to_owned()], &json!(0)));
    world.cluster.pass(10);
    world.settle();
    assert_eq!(world.pods(), ["web-0", "web-1"]);
}

#[test]
fn a_name_is_not_used_again_before_its_pod_is_gone() {
    let mut world = World::new(web(1));
    world.run();
    let first = world.cluster.json(&pod_key("web-0"));
    world.cluster.delete(first.clone(), None, None);
    for _ in 0..3 {
        world.settle();
        assert_eq!(world.cluster.json(&pod_key("web-0"))["metadata"]["uid"], first["metadata"]["uid"]);
    }
    // Its node is lost: nobody may say that it has ended.
    world.cluster.edit(&Key::new(&NODES, "", "n1"), |node| {
        set(node, "status.conditions", json!([{"type": "Ready", "status": "Unknown"}]));
    });
    let gc = pod_gc();
    world.cluster.settle(&[&StatefulSets, &gc]);
    assert_eq!(world.cluster.json(&pod_key("web-0"))["metadata"]["uid"], first["metadata"]["uid"]);
    world.cluster.remove(&Key::new(&NODES, "", "n1"));
    world.cluster.settle(&[&gc, &StatefulSets]);
    assert_ne!(world.cluster.json(&pod_key("web-0"))["metadata"]["uid"], first["metadata"]["uid"]);
}

#[test]
fn ended_pods_are_made_anew() {
    for phase in ["Failed", "Succeeded"] {
        let mut world = World::new(web(1));
        world.run();
        let before = world.cluster.json(&pod_key("web-0"))["metadata"]["uid"].clone();
        world.cluster.edit(&pod_key("web-0"), |pod| set(pod, "status.phase", phase));
        world.run();
        assert_ne!(world.cluster.json(&pod_key("web-0"))["metadata"]["uid"], before, "{phase}");
    }
}

#[test]
fn an_update_goes_from_the_highest_down_to_the_partition() {
    let mut world = World::new(web(3));
    world.run();
    world.edit("spec.updateStrategy.rollingUpdate.partition", 2);
    world.new_image("i:2");
    world.run();
    assert_eq!(world.images(), ["i:1", "i:1", "i:2"]);
    let status = world.status();
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    assert_eq!((&status["currentReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(1)));
    // Below the partition a lost pod comes back as it was.
    world.cluster.remove(&pod_key("web-0"));
    world.run();
    assert_eq!(world.images(), ["i:1", "i:1", "i:2"]);
    world.edit("spec.updateStrategy.rollingUpdate.partition", 0);
    let seen = world.run();
    assert!(seen.iter().all(|pods| pods.len() >= 2), "one at a time: {seen:?}");
    assert_eq!(world.images(), ["i:2", "i:2", "i:2"]);
    assert_eq!(world.status()["currentRevision"], world.status()["updateRevision"]);
    // Back again: the old revision becomes the newest, no third one is made.
    world.new_image("i:1");
    world.run();
    assert_eq!(world.images(), ["i:1", "i:1", "i:1"]);
    assert_eq!(world.cluster.names(&CONTROLLER_REVISIONS).len(), 2);
    let numbers: BTreeSet<i64> = world
        .cluster
        .view()
        .list(&CONTROLLER_REVISIONS, None)
        .map(|object| world.cluster.json(&object.key).int("revision").unwrap())
        .collect();
    assert_eq!(numbers, BTreeSet::from([2, 3]));
}

#[test]
fn several_may_be_away_if_the_set_says_so() {
    let mut set_ = web(4);
    set(&mut set_, "spec.updateStrategy.rollingUpdate.maxUnavailable", "50%");
    let mut world = World::new(set_);
    world.run();
    world.new_image("i:2");
    world.settle();
    let view = world.cluster.view();
    let ending: Vec<_> =
        view.list(&PODS, None).filter(|pod| pod.meta.deleting).map(|pod| pod.key.name().to_owned()).collect();
    assert_eq!(ending, ["web-2", "web-3"]);
    world.run();
    assert_eq!(world.images(), ["i:2"; 4]);
}

#[test]
fn on_delete_updates_nothing_by_itself() {
    let mut set_ = web(2);
    set(&mut set_, "spec.updateStrategy", json!({"type": "OnDelete"}));
    let mut world = World::new(set_);
    world.run();
    world.new_image("i:2");
    world.run();
    assert_eq!(world.images(), ["i:1", "i:1"]);
    world.cluster.remove(&pod_key("web-0"));
    world.run();
    assert_eq!(world.images(), ["i:2", "i:1"]);
}

#[test]
fn history_is_kept_as_long_as_it_is_told() {
    let mut set_ = web(1);
    set(&mut set_, "spec.revisionHistoryLimit", 2);
    let mut world = World::new(set_);
    world.run();
    for image in ["i:2", "i:3", "i:4", "i:5"] {
        world.new_image(image);
        world.run();
    }
    assert_eq!(world.cluster.names(&CONTROLLER_REVISIONS).len(), 3, "the present one and two before it");
    let object = world.cluster.view().list(&CONTROLLER_REVISIONS, None).next().unwrap().clone();
    let data = world.cluster.json(&object.key);
    assert_eq!(data.text("data.spec.template.$patch"), "replace", "kubectl rollout undo sends it as it is");
}

#[test]
fn pods_and_revisions_are_adopted_and_released() {
    let mut world = World::new(web(1));
    world.run();
    // An owner that is orphaned leaves pods and history behind; a new set of the name takes them over.
    for (resource, name) in
        [(&PODS, "web-0".to_owned()), (&CONTROLLER_REVISIONS, world.cluster.names(&CONTROLLER_REVISIONS)[0].clone())]
    {
        world
            .cluster
            .edit(&Key::new(resource, "x", &name), |object| set(object, "metadata.ownerReferences", Value::Null));
    }
    let uid = world.cluster.json(&pod_key("web-0"))["metadata"]["uid"].clone();
    world.cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-x", "namespace": "x", "labels": {"app": "web"}},
        "spec": {"containers": []}, "status": {"phase": "Running"},
    }));
    world.cluster.remove(&world.key.clone());
    world.cluster.put(web(1));
    world.run();
    let pod = world.cluster.json(&pod_key("web-0"));
    assert_eq!(pod["metadata"]["uid"], uid);
    assert_eq!(pod.list("metadata.ownerReferences")[0]["uid"], world.cluster.json(&world.key)["metadata"]["uid"]);
    assert!(!world.cluster.json(&pod_key("web-x")).has("metadata.ownerReferences"), "not one of its names");
    assert_eq!(world.cluster.names(&CONTROLLER_REVISIONS).len(), 1);
    world.cluster.edit(&pod_key("web-0"), |pod| set(pod, "metadata.labels.app", "debug"));
    world.settle();
    assert!(!world.cluster.json(&pod_key("web-0")).has("metadata.ownerReferences"));
    assert_eq!(world.status().int("replicas"), Some(0), "the name is held by another");
    world.cluster.remove(&pod_key("web-0"));
    world.run();
    assert_eq!(world.status()["readyReplicas"], 1);
}

fn with_claims(policy: Value) -> Value {
    let mut set_ = web(2);
    set(&mut set_, "spec.persistentVolumeClaimRetentionPolicy", policy);
    set(
        &mut set_,
        "spec.volumeClaimTemplates",
        json!([{
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }]),
    );
    set_
}

fn owners(world: &World, name: &str) -> Vec<String> {
    let claim = world.cluster.json(&Key::new(&CLAIMS, "x", name));
    claim.list("metadata.ownerReferences").iter().map(|owner| owner.text("kind").to_owned()).collect()
}

#[test]
fn claims_come_before_their_pods_and_stay_after_them() {
    let mut world = World::new(with_claims(json!({"whenDeleted": "Retain", "whenScaled": "Retain"})));
    world.run();
    assert_eq!(world.cluster.names(&CLAIMS), ["data-web-0", "data-web-1"]);
    let pod = world.cluster.json(&pod_key("web-1"));
    assert_eq!(pod.list("spec.volumes")[0]["persistentVolumeClaim"]["claimName"], "data-web-1");
    let claim = world.cluster.json(&Key::new(&CLAIMS, "x", "data-web-1"));
    assert_eq!(claim.at("metadata.labels"), &json!({"app": "web"}));
    world.edit("spec.replicas", 0);
    world.run();
    assert_eq!(world.pods().len(), 0);
    assert_eq!(world.cluster.names(&CLAIMS), ["data-web-0", "data-web-1"]);
    assert_eq!(owners(&world, "data-web-0"), Vec::<String>::new());
}

#[test]
fn the_retention_policy_says_who_owns_a_claim() {
    let mut world = World::new(with_claims(json!({"whenDeleted": "Delete", "whenScaled": "Retain"})));
    world.run();
    assert_eq!(owners(&world, "data-web-0"), ["StatefulSet"]);
    world.edit("spec.persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Delete", "whenScaled": "Delete"}));
    world.run();
    assert_eq!(owners(&world, "data-web-1"), ["StatefulSet"]);
    world.edit("spec.replicas", 1);
    world.settle();
    assert_eq!(
        (owners(&world, "data-web-0"), owners(&world, "data-web-1")),
        (vec!["StatefulSet".into()], vec!["Pod".into()])
    );
    // Scaled up again before the garbage collector has taken the claim: the pod waits for a fresh one.
    world.nodes_work();
    world.edit("spec.replicas", 2);
    world.settle();
    assert_eq!(world.pods(), ["web-0"]);
    let gone = world.cluster.view().get(&Key::new(&CLAIMS, "x", "data-web-1")).unwrap().meta.uid.clone();
    world.cluster.settle(&[&crate::garbage::Garbage, &StatefulSets]);
    assert_ne!(world.cluster.view().get(&Key::new(&CLAIMS, "x", "data-web-1")).unwrap().meta.uid, gone);
    world.run();
    assert_eq!(world.pods(), ["web-0", "web-1"]);
}

#[test]
fn a_refusal_is_told() {
    let mut world = World::new(web(1));
    world.settle();
    let mut now = world.cluster.now();
    now.failure = Some(Arc::new(crate::Failure { verb: "create", message: "quota exceeded".into() }));
    let plan = StatefulSets.plan(&world.cluster.view(), &world.key, &now);
    assert!(plan.to_string().contains("Warning FailedCreate: create failed error: quota exceeded"), "{plan}");
    let reasons: Vec<String> = world
        .cluster
        .view()
        .list(&EVENTS, None)
        .map(|event| world.cluster.json(&event.key).text("reason").to_owned())
        .collect();
    assert_eq!(reasons, ["SuccessfulCreate"]);
}

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
                for chain in plan.chains {
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
