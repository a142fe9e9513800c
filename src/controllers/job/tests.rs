#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::Key;
use crate::objects::EVENTS;

use crate::testing::{Cluster, pod_gc};
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn job(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "sum", "namespace": "x", "generation": 1},
        "spec": {
            "completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"job": "sum"}},
            "template": {
                "metadata": {"labels": {"job": "sum"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

struct World {
    cluster: Cluster,
    key: Key,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut cluster = Cluster::default();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let key = cluster.put(job(spec)).key.clone();
        Self { cluster, key }
    }

    fn settle(&mut self) {
        self.cluster.settle(&[&Jobs]);
    }

    fn pods(&self) -> Vec<Key> {
        self.cluster.names(&PODS).iter().map(|name| Key::new(&PODS, "x", name)).collect()
    }

    /// Pods that neither ended nor are being deleted.
    fn active(&self) -> Vec<Key> {
        let active = |key: &Key| raftsman_api::pod::is_active(&self.cluster.json(key));
        self.pods().into_iter().filter(active).collect()
    }

    fn run(&mut self, key: &Key) {
        self.cluster.edit(key, |pod| set(pod, "spec.nodeName", "n1"));
        self.cluster.run_pod(key, true);
    }

    fn end(&mut self, key: &Key, code: i64) {
        let time = raftsman_api::time::seconds(self.cluster.time);
        self.cluster.edit(key, |pod| {
            set(pod, "status.phase", if code == 0 { "Succeeded" } else { "Failed" });
            let state = json!({"terminated": {"exitCode": code, "finishedAt": time}});
            let container = json!({
                "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            });
            set(pod, "status.containerStatuses", json!([container]));
        });
    }

    /// The pod of an index ends.
    fn end_index(&mut self, index: &str, code: i64) {
        let of = |key: &&Key| self.cluster.json(key).at("metadata.annotations")[members::INDEX] == index;
        let key = self.active().iter().find(of).cloned().unwrap_or_else(|| panic!("no pod of {index}"));
        self.end(&key, code);
        self.settle();
    }

    /// What ends on its node, ends.
    fn let_end(&mut self) {
        for key in self.pods() {
            let pod = self.cluster.json(&key);
            if pod.has("metadata.deletionTimestamp") {
                if !raftsman_api::pod::is_terminal(&pod) {
                    self.end(&key, 143);
                }
                if let Some(pod) = self.cluster.view().get(&key).map(|_| self.cluster.json(&key)) {
                    self.cluster.delete(pod, Some(0), None);
                }
            }
        }
    }

    fn status(&self) -> Value {
        self.cluster.json(&self.key).at("status").clone()
    }

    fn count(&self, field: &str) -> i64 {
        self.status().int(field).unwrap_or(0)
    }

    /// Types and reasons of conditions that hold.
    fn conditions(&self) -> Vec<String> {
        let status = self.status();
        let all = status.list("conditions").iter().filter(|condition| condition.text("status") == "True");
        all.map(|condition| format!("{}:{}", condition.text("type"), condition.text("reason"))).collect()
    }

    fn indexes(&self) -> Vec<String> {
        let index =
            |key: &Key| self.cluster.json(key).at("metadata.annotations")[members::INDEX].as_str().unwrap().to_owned();
        let mut all: Vec<String> = self.active().iter().map(index).collect();
        all.sort_unstable();
        all
    }
}

const COMPLETE: [&str; 2] = ["SuccessCriteriaMet:CompletionsReached", "Complete:CompletionsReached"];

fn failed(reason: &str) -> [String; 2] {
    [format!("FailureTarget:{reason}"), format!("Failed:{reason}")]
}

#[test]
fn runs_are_counted_to_the_end() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 2}));
    world.settle();
    assert_eq!(world.active().len(), 2);
    let pod = world.cluster.json(&world.pods()[0]);
    assert_eq!(pod.at("metadata.finalizers"), &json!([TRACKING]));
    assert!(pod.text("metadata.name").starts_with("sum-"));
    assert_eq!((world.count("active"), world.count("ready")), (2, 0));
    assert_eq!(world.status().text("startTime"), "2026-01-02T03:04:05Z");
    for left in [2, 1, 0] {
        let key = world.active()[0].clone();
        world.run(&key);
        world.settle();
        world.end(&key, 0);
        world.settle();
        assert_eq!(world.active().len(), left.min(2));
    }
    assert_eq!(world.conditions(), COMPLETE);
    assert_eq!((world.count("succeeded"), world.count("failed"), world.count("active")), (3, 0, 0));
    assert_eq!(world.status().text("completionTime"), "2026-01-02T03:04:05Z");
    assert_eq!(world.status().at("uncountedTerminatedPods"), &json!({}));
    assert!(world.pods().iter().all(|key| world.cluster.json(key).list("metadata.finalizers").is_empty()));
    let view = world.cluster.view();
    let told = view.list(&EVENTS, None).any(|event| world.cluster.json(&event.key).text("reason") == "Completed");
    assert!(told);
    world.settle();
    assert_eq!(world.pods().len(), 3, "its pods stay for their logs");
}

#[test]
fn a_work_queue_is_done_when_one_succeeds_and_the_rest_have_ended() {
    let mut world = World::new(json!({"completions": null, "parallelism": 3}));
    world.settle();
    let pods = world.active();
    world.end(&pods[0], 0);
    world.settle();
    assert_eq!((world.active().len(), world.conditions().len()), (2, 0), "nothing new, nothing ended");
    world.end(&pods[1], 1);
    world.end(&pods[2], 0);
    world.settle();
    assert_eq!(world.conditions(), COMPLETE);
    assert_eq!((world.count("succeeded"), world.count("failed")), (2, 1));
}

#[test]
fn failures_wait_longer_each_time_and_end_the_job_at_the_limit() {
    let mut world = World::new(json!({"backoffLimit": 2}));
    world.settle();
    for (failures, wait) in [(1, 10), (2, 20)] {
        let key = world.active()[0].clone();
        world.end(&key, 1);
        world.settle();
        assert_eq!((world.count("failed"), world.active().len()), (failures, 0));
        let key = world.key.clone();
        let plan = world.cluster.step(&Jobs, &key);
        assert_eq!(plan.requeue_after, Some(Duration::from_secs(wait)));
        world.cluster.pass(wait);
        world.settle();
        assert_eq!(world.active().len(), 1);
    }
    let key = world.active()[0].clone();
    world.end(&key, 1);
    world.settle();
    assert_eq!(world.conditions(), failed("BackoffLimitExceeded"));
    assert_eq!(world.count("failed"), 3);
    assert!(!world.status().has("completionTime"));
}

#[test]
fn restarts_in_place_count_against_the_limit() {
    let template =
        json!({"metadata": {"labels": {"job": "sum"}}, "spec": {"restartPolicy": "OnFailure", "containers": []}});
    let mut world = World::new(json!({"backoffLimit": 2, "template": template}));
    world.settle();
    let key = world.active()[0].clone();
    world.run(&key);
    for (restarts, over) in [(1, false), (2, true)] {
        world.cluster.edit(&key, |pod| {
            let container = json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts});
            set(pod, "status.containerStatuses", json!([container]));
        });
        world.settle();
        assert_eq!(!world.conditions().is_empty(), over, "{restarts}");
    }
    world.let_end();
    world.settle();
    assert_eq!((world.conditions(), world.count("failed")), (failed("BackoffLimitExceeded").to_vec(), 1));
}

#[test]
fn a_deadline_ends_what_runs() {
    let mut world = World::new(json!({"activeDeadlineSeconds": 60, "parallelism": 2, "completions": 2}));
    world.settle();
    world.active().iter().for_each(|key| world.run(key));
    let key = world.key.clone();
    assert_eq!(world.cluster.step(&Jobs, &key).requeue_after, Some(Duration::from_secs(60)));
    world.cluster.pass(60);
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget:DeadlineExceeded"], "its pods have not ended");
    assert_eq!((world.count("active"), world.count("terminating")), (0, 2));
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), failed("DeadlineExceeded"));
    assert_eq!((world.count("failed"), world.count("terminating"), world.pods().len()), (2, 0, 0));
}

#[test]
fn indexes_are_done_once_each() {
    let mut world = World::new(json!({"completionMode": "Indexed", "completions": 5, "parallelism": 3}));
    world.settle();
    assert_eq!(world.indexes(), ["0", "1", "2"]);
    let pod = world.cluster.json(&world.active()[0]);
    assert!(pod.text("metadata.name").starts_with("sum-0-"));
    assert_eq!(pod.text("spec.hostname"), "sum-0");
    assert_eq!(pod.list("spec.containers")[0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
    assert_eq!(pod["metadata"]["labels"][members::INDEX], "0");
    world.end_index("1", 0);
    assert_eq!(
        (world.indexes(), world.status().text("completedIndexes")),
        (vec!["0".into(), "2".into(), "3".into()], "1")
    );
    world.end_index("2", 0);
    world.end_index("3", 0);
    assert_eq!(world.status().text("completedIndexes"), "1-3");
    // A failed one is tried again under its index.
    world.cluster.pass(1);
    world.end_index("4", 1);
    assert_eq!(world.indexes(), ["0"]);
    world.cluster.pass(10);
    world.settle();
    assert_eq!(world.indexes(), ["0", "4"]);
    world.end_index("0", 0);
    world.end_index("4", 0);
    assert_eq!(
        (world.conditions(), world.count("succeeded"), world.count("failed")),
        (COMPLETE.map(String::from).to_vec(), 5, 1)
    );
    assert_eq!(world.status().text("completedIndexes"), "0-4");
}

#[test]
fn each_index_has_its_own_limit() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1,
        "backoffLimit": i32::MAX,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end_index("0", 1);
    assert_eq!((world.indexes(), world.count("failed")), (vec!["1".to_owned()], 0), "it waits for its successor");
    world.cluster.pass(10);
    world.settle();
    let second = world.cluster.json(&world.active().into_iter().find(|key| key.name().starts_with("sum-0")).unwrap());
    assert_eq!(second.at("metadata.annotations")["batch.kubernetes.io/job-index-failure-count"], "1");
    assert_eq!(world.count("failed"), 1);
    world.end_index("0", 1);
    assert_eq!((world.indexes(), world.status().text("failedIndexes")), (vec!["1".to_owned()], "0"));
    world.end_index("1", 0);
    assert_eq!(world.conditions(), failed("FailedIndexes"));
    assert_eq!((world.count("failed"), world.count("succeeded"), world.status().text("completedIndexes")), (2, 1, "1"));
}

#[test]
fn the_failure_policy_decides_what_a_failure_means() {
    let policy = json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
    ]});
    let mut world =
        World::new(json!({"podFailurePolicy": policy, "podReplacementPolicy": "Failed", "backoffLimit": 0}));
    world.settle();
    let key = world.active()[0].clone();
    world.cluster.edit(&key, |pod| {
        set(pod, "status.conditions", json!([{"type": "DisruptionTarget", "status": "True"}]));
    });
    world.end(&key, 137);
    world.settle();
    assert_eq!((world.count("failed"), world.conditions().len()), (0, 0), "ignored");
    assert!(world.cluster.json(&key).list("metadata.finalizers").is_empty());
    world.cluster.pass(10);
    world.settle();
    let key = world.active()[0].clone();
    world.end(&key, 42);
    world.settle();
    assert_eq!(world.conditions(), failed("PodFailurePolicy"));
    let status = world.status();
    let expected =
        format!("Container c for pod x/{} failed with exit code 42 matching FailJob rule at index 1", key.name());
    assert_eq!(status.list("conditions")[0].text("message"), expected);
}

#[test]
fn an_index_can_be_given_up_at_once() {
    let policy = json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}}]});
    let spec = json!({
        "completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 5, "maxFailedIndexes": 1,
        "backoffLimit": i32::MAX, "podFailurePolicy": policy,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end_index("0", 7);
    assert_eq!((world.status().text("failedIndexes"), world.conditions().len()), ("0", 0));
    world.end_index("1", 7);
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), failed("MaxFailedIndexesExceeded"));
    assert_eq!(world.status().text("failedIndexes"), "0,1");
}

#[test]
fn some_completions_may_be_enough() {
    let rules = json!({"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 2}]});
    let spec = json!({"completionMode": "Indexed", "completions": 5, "parallelism": 5, "successPolicy": rules});
    let mut world = World::new(spec);
    world.settle();
    world.active().iter().for_each(|key| world.run(key));
    world.end_index("1", 0);
    world.end_index("2", 0);
    assert_eq!(world.conditions().len(), 0);
    world.end_index("3", 0);
    assert_eq!(world.conditions(), ["SuccessCriteriaMet:SuccessPolicy"], "the others are still ending");
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), ["SuccessCriteriaMet:SuccessPolicy", "Complete:SuccessPolicy"]);
    assert_eq!((world.count("succeeded"), world.count("failed")), (3, 0), "the others are not failures");
}

#[test]
fn a_suspended_job_has_no_pods_and_begins_anew() {
    let mut world = World::new(json!({"suspend": true, "completions": 2, "parallelism": 2}));
    world.settle();
    assert_eq!(
        (world.pods().len(), world.conditions(), world.status().has("startTime")),
        (0, vec!["Suspended:JobSuspended".into()], false)
    );
    world.cluster.pass(5);
    let key = world.key.clone();
    world.cluster.edit(&key, |job| set(job, "spec.suspend", false));
    world.settle();
    assert_eq!((world.active().len(), world.status().text("startTime")), (2, "2026-01-02T03:04:10Z"));
    world.active().iter().for_each(|key| world.run(key));
    world.cluster.edit(&key, |job| set(job, "spec.suspend", true));
    world.settle();
    assert_eq!((world.active().len(), world.count("terminating")), (0, 2));
    world.let_end();
    world.settle();
    assert_eq!((world.pods().len(), world.count("failed")), (0, 0), "taken away, not failed");
}

#[test]
fn a_pod_that_is_leaving_is_replaced_when_the_policy_says_so() {
    for (policy, at_once) in [("TerminatingOrFailed", true), ("Failed", false)] {
        let mut world = World::new(json!({"podReplacementPolicy": policy}));
        world.settle();
        let key = world.active()[0].clone();
        world.run(&key);
        let pod = world.cluster.json(&key);
        world.cluster.delete(pod, None, None);
        world.settle();
        world.cluster.pass(10);
        world.settle();
        assert_eq!(
            (world.active().len(), world.count("failed")),
            (usize::from(at_once), i64::from(at_once)),
            "{policy}"
        );
        world.let_end();
        world.settle();
        world.cluster.pass(10);
        world.settle();
        assert_eq!((world.active().len(), world.count("failed")), (1, 1), "{policy}");
    }
}

#[test]
fn fewer_pods_run_when_fewer_are_wanted() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 4}));
    world.settle();
    let pods = world.active();
    world.run(&pods[2]);
    let key = world.key.clone();
    world.cluster.edit(&key, |job| set(job, "spec.parallelism", 1));
    world.settle();
    assert_eq!((world.active(), world.count("failed")), (vec![pods[2].clone()], 0), "the one that runs stays");
}

#[test]
fn pods_are_let_go_when_their_job_is_gone() {
    let mut world = World::new(json!({"parallelism": 2, "completions": 2}));
    world.settle();
    world.cluster.remove(&world.key.clone());
    world.settle();
    assert!(world.pods().iter().all(|key| world.cluster.json(key).list("metadata.finalizers").is_empty()));
}

#[test]
fn orphans_are_adopted_and_tracked() {
    let mut world = World::new(json!({"completions": 1}));
    world.cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": "x", "labels": {"job": "sum"}},
        "spec": {"containers": []}, "status": {"phase": "Succeeded"},
    }));
    world.settle();
    assert_eq!((world.pods().len(), world.count("succeeded")), (1, 1));
    assert_eq!(world.conditions(), COMPLETE);
}

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
                for chain in plan.chains.iter().rev().take(most) {
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
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
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
