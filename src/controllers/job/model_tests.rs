//! A job under everything that may happen to it, checked against the truth about its runs.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::world::{COMPLETE, World};
use super::{Indexes, Jobs, members};
use crate::testing::pod_gc;
use crate::{Controller, Key};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use raftsman_api::value::{At, set};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What may happen between two plans.
#[derive(Debug, Clone)]
enum Step {
    Plan,
    /// A plan is made, something else happens, and only some of its actions are carried out.
    Torn(Box<Step>, usize),
    Run(usize),
    End(usize, bool),
    Delete(usize),
    Vanish(usize),
    Parallelism(i64),
    Suspend(bool),
    Pass,
    Gc,
}

fn step() -> impl Strategy<Value = Step> {
    let simple = prop_oneof![
        6 => Just(Step::Plan),
        3 => any::<usize>().prop_map(Step::Run),
        4 => (any::<usize>(), prop::bool::weighted(0.7)).prop_map(|(at, well)| Step::End(at, well)),
        1 => any::<usize>().prop_map(Step::Delete),
        1 => any::<usize>().prop_map(Step::Vanish),
        1 => (0..5_i64).prop_map(Step::Parallelism),
        1 => prop::bool::weighted(0.3).prop_map(Step::Suspend),
        2 => Just(Step::Pass),
        1 => Just(Step::Gc),
    ];
    let torn = (simple.clone(), 0..6_usize).prop_map(|(step, most)| Step::Torn(Box::new(step), most));
    prop_oneof![5 => simple, 2 => torn]
}

/// The truth about runs, kept beside the cluster.
struct Truth {
    world: World,
    indexed: bool,
    /// Uids of pods that ended well or badly by themselves, with their index.
    well: BTreeMap<String, String>,
    badly: BTreeSet<String>,
    /// Pods whose end somebody asked for: whether they count is the controller's to say.
    taken: BTreeSet<String>,
}

impl Truth {
    fn pick(&self, at: usize) -> Option<Key> {
        let pods = self.world.pods();
        (!pods.is_empty()).then(|| pods[at % pods.len()].clone())
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Plan => {
                let key = self.world.key.clone();
                self.world.cluster.step(&Jobs, &key);
            }
            Step::Torn(between, most) => {
                let now = self.world.cluster.now();
                let plan = Jobs.plan(&self.world.cluster.view(), &self.world.key, &now);
                self.take(*between);
                // The chains run side by side: any of them may come first, and the process may end at any action.
                for chain in plan.all_chains().rev().take(most) {
                    let _ = chain.iter().try_for_each(|action| self.world.cluster.execute(action));
                }
            }
            Step::Run(at) => {
                if let Some(key) =
                    self.pick(at).filter(|key| self.world.cluster.json(key).text("status.phase") == "Pending")
                {
                    self.world.run(&key);
                }
            }
            Step::End(at, well) => {
                if let Some(key) = self.pick(at) {
                    self.end(&key, well);
                }
            }
            Step::Delete(at) => {
                if let Some(key) = self.pick(at) {
                    let pod = self.world.cluster.json(&key);
                    self.taken.insert(pod.text("metadata.uid").to_owned());
                    self.world.cluster.delete(pod, None, None);
                }
            }
            Step::Vanish(at) => {
                if let Some(key) = self.pick(at).filter(|key| self.world.cluster.view().get(key).unwrap().meta.deleting)
                {
                    self.taken.insert(self.world.cluster.json(&key).text("metadata.uid").to_owned());
                    let pod = self.world.cluster.json(&key);
                    self.world.cluster.delete(pod, Some(0), None);
                }
            }
            Step::Parallelism(wide) => {
                let key = self.world.key.clone();
                self.world.cluster.edit(&key, |job| set(job, "spec.parallelism", wide));
            }
            Step::Suspend(suspend) => {
                let key = self.world.key.clone();
                self.world.cluster.edit(&key, |job| set(job, "spec.suspend", suspend));
            }
            Step::Pass => self.world.cluster.pass(700),
            Step::Gc => self.world.cluster.settle(&[&pod_gc()]),
        }
        self.check();
    }

    fn end(&mut self, key: &Key, well: bool) {
        let pod = self.world.cluster.json(key);
        if pod.text("status.phase") != "Running" {
            return;
        }
        let uid = pod.text("metadata.uid").to_owned();
        let tracked = !pod.list("metadata.finalizers").is_empty();
        if pod.has("metadata.deletionTimestamp") || !tracked {
            self.taken.insert(uid);
        } else if well {
            let index = pod.at("metadata.annotations")[members::INDEX].as_str().unwrap_or("").to_owned();
            self.well.insert(uid, index);
        } else {
            self.badly.insert(uid);
        }
        self.world.end(key, if well { 0 } else { 1 });
    }

    /// At every moment: nothing is counted twice, and what is counted has happened.
    fn check(&self) {
        let status = self.world.status();
        let succeeded = self.world.count("succeeded");
        if self.indexed {
            let indexes: BTreeSet<&String> = self.well.values().collect();
            let done = Indexes::below(status.text("completedIndexes"), 1000);
            assert_eq!(i64::try_from(done.len()).unwrap(), succeeded);
            let taken = self.taken.len();
            assert!(done.len() <= indexes.len() + taken, "{status}");
        } else {
            assert!(succeeded <= i64::try_from(self.well.len() + self.taken.len()).unwrap(), "{status}");
        }
        let failed = self.world.count("failed");
        assert!(failed <= i64::try_from(self.badly.len() + self.taken.len()).unwrap(), "{status}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]
    /// Whatever happens, and wherever the controller stops: in the end each run is counted once and the job completes.
    #[test]
    fn completions_are_counted_exactly(indexed: bool, completions in 1..6_i64, steps in prop::collection::vec(step(), 0..100)) {
        let mode = if indexed { "Indexed" } else { "NonIndexed" };
        let world = World::new(json!({
            "completions": completions, "parallelism": 2, "completionMode": mode, "backoffLimit": 1000,
        }));
        let mut truth = Truth {
            world, indexed, well: BTreeMap::new(), badly: BTreeSet::new(), taken: BTreeSet::new(),
        };
        for step in steps {
            truth.take(step);
        }
        truth.take(Step::Parallelism(3));
        truth.take(Step::Suspend(false));
        for _ in 0..60 {
            truth.world.settle();
            truth.take(Step::Pass);
            for key in truth.world.pods() {
                let pod = truth.world.cluster.json(&key);
                if pod.has("metadata.deletionTimestamp") {
                    truth.taken.insert(pod.text("metadata.uid").to_owned());
                }
            }
            truth.world.let_end();
            for key in truth.world.active() {
                truth.world.run(&key);
                truth.end(&key, true);
            }
            truth.check();
        }
        truth.world.settle();
        // A job whose last run ends while it is suspended completes as it is.
        let mut conditions = truth.world.conditions();
        conditions.retain(|condition| !condition.starts_with("Suspended:"));
        prop_assert_eq!(conditions, COMPLETE);
        prop_assert!(truth.world.count("succeeded") >= completions);
        prop_assert!(truth.world.status().list("uncountedTerminatedPods.succeeded").is_empty());
        if indexed {
            prop_assert_eq!(truth.world.count("succeeded"), completions, "each index once");
        } else {
            // Every run that ended well by itself is in the count; those that were taken away may be or not.
            let (least, most) = (truth.well.len(), truth.well.len() + truth.taken.len());
            let found = usize::try_from(truth.world.count("succeeded")).unwrap();
            prop_assert!((least..=most).contains(&found), "{} not in {}..={}", found, least, most);
        }
        let (least, most) = (truth.badly.len(), truth.badly.len() + truth.taken.len());
        let found = usize::try_from(truth.world.count("failed")).unwrap();
        prop_assert!((least..=most).contains(&found), "failed: {} not in {}..={}", found, least, most);
    }
}
