//! Pods that nobody will end: on nodes that are gone, never given to a node, or ended long ago.
//!
//! A pod whose deletion was asked for is removed only where [`fencing::may_give_away`] says that it has ended: its name is
//! free from then on.

use crate::fencing::{self, Verdict};
use crate::objects::{self, NODES, POD_NODE, PODS};
use crate::{Action, Controller, Heartbeats, Key, Now, Plan, WorkKey, pods};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::fencing::FencingRule;
use raftsman_api::kind::Subresource;
use raftsman_state::{Change, Object, View};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A node without an object that was heard of so recently is about to register again (upstream `quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);
/// How often ended pods are counted.
const COUNT_EVERY: Duration = Duration::from_secs(20);

/// Deletes such pods for good.
pub struct PodGc {
    /// Ended pods beyond this many are deleted, oldest first; 0 keeps all.
    pub terminated_threshold: usize,
    /// Signs of life of nodes under this leadership.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// Which pods are fenced.
    pub rule: FencingRule,
}

/// The key under which ended pods are counted: no pod's.
fn counting() -> WorkKey {
    Key::new(&PODS, "", "")
}

fn node_is_gone(view: &View, pod: &Object) -> bool {
    let node = pod.meta.field("spec.nodeName").filter(|node| !node.is_empty());
    node.is_some_and(|node| view.get(&Key::new(&NODES, "", node)).is_none())
}

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if key.resource == *NODES && change.deleted {
            return view.by_index(POD_NODE, key.name()).map(|pod| pod.key.clone()).collect();
        }
        if key.resource == *NODES && is_out_of_service(&change.object) {
            let pods = view.by_index(POD_NODE, key.name()).filter(|pod| pod.meta.deleting);
            return pods.map(|pod| pod.key.clone()).collect();
        }
        let pod = key.resource == *PODS && !change.deleted;
        if pod && (change.object.meta.deleting || node_is_gone(view, &change.object)) {
            return vec![key.clone()];
        }
        Vec::new()
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let pods = view.list(&PODS, None).filter(|pod| pod.meta.deleting || node_is_gone(view, pod));
        pods.map(|pod| pod.key.clone()).chain([counting()]).collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        if *key == counting() {
            self.ended(view).iter().for_each(|pod| plan.push(delete(pod, None)));
            plan.requeue(COUNT_EVERY);
            return plan;
        }
        let Some((object, pod)) = objects::get::<Pod>(view, key) else {
            return plan;
        };
        let node = pods::node_name(&pod).map(|node| Key::new(&NODES, "", node));
        let node = node.and_then(|node| objects::get::<Node>(view, &node)).map(|(_, node)| node);
        let lost = pods::node_name(&pod).is_some() && node.is_none();
        if !lost && !object.meta.deleting {
            return plan;
        }
        // Read after the view: a word that the node was given in between has changed the pod's revision.
        let seen = pods::node_name(&pod).and_then(|node| self.heartbeats.last_seen(node));
        let left = if lost { quarantine(&pod, seen, now) } else { Duration::ZERO };
        if !left.is_zero() {
            plan.requeue(left);
            return plan;
        }
        let promise = fencing::promise(&pod, node.as_deref(), seen, self.rule);
        match fencing::may_give_away(&pod, node.as_deref(), now, promise.as_ref()) {
            Verdict::Now => {
                let mut chain = end(&object, &pod, lost, promise.is_some(), now);
                let given_away = promise.is_some() && matches!(chain.last(), Some(Action::Delete { .. }));
                if let Some(name) = pods::node_name(&pod).filter(|_| given_away) {
                    let silent = now.mono.saturating_sub(seen.unwrap_or_default()).as_secs();
                    let text = format!(
                        "Node {name} was silent for {silent} s: it has frozen this pod or will not start it, and another one may take its place"
                    );
                    chain.push(objects::event(&object, ("v1", "Pod"), true, "GivenAway", text));
                }
                plan.chain(chain);
            }
            Verdict::After(left) => plan.requeue(left),
            Verdict::Never => {}
        }
        plan
    }
}

fn is_out_of_service(node: &Object) -> bool {
    let node = objects::decode::<Node>(node);
    let taints = node.as_ref().and_then(|node| node.spec.as_ref()?.taints.as_deref()).unwrap_or_default();
    taints.iter().any(|taint| taint.key == fencing::OUT_OF_SERVICE)
}

/// How long a pod's node, which the cluster does not have, may still turn up: it does so by itself if it lives.
fn quarantine(pod: &Pod, seen: Option<Duration>, now: &Now) -> Duration {
    let silent = now.mono.saturating_sub(seen.unwrap_or_default());
    let age = pod.metadata.creation_timestamp.as_ref().map_or(QUARANTINE, |created| now.since(created.0));
    QUARANTINE.saturating_sub(silent.min(age))
}

/// Ends a pod for its node: whoever counts how pods end (a Job) is told that this one failed.
fn end(object: &Object, pod: &Pod, lost: bool, fenced: bool, now: &Now) -> Vec<Action> {
    let held = pod.metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    let marked = object.meta.deleting && pod.metadata.deletion_grace_period_seconds == Some(0);
    let mut chain = Vec::new();
    // A fenced pod that nothing holds goes in one write: until then its node may still be told to run it.
    let failed = !pods::is_terminal(pod) && (held || !fenced);
    if failed {
        let mut status = json!({ "phase": "Failed" });
        if lost {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
            let mut conditions: Vec<PodCondition> =
                conditions.into_iter().filter(|condition| condition.type_ != "DisruptionTarget").collect();
            conditions.push(PodCondition {
                type_: "DisruptionTarget".to_owned(),
                status: "True".to_owned(),
                reason: Some("DeletionByPodGC".to_owned()),
                message: Some("PodGC: node no longer exists".to_owned()),
                last_transition_time: Some(Time(now.time)),
                ..PodCondition::default()
            });
            status["conditions"] = json!(conditions);
        }
        chain.push(Action::Patch {
            key: object.key.clone(),
            uid: object.meta.uid.clone(),
            revision: Some(object.revision),
            patch: json!({ "status": status }),
            part: Some(Subresource::Status),
        });
    }
    if failed && fenced {
        // It is looked at again before it goes.
        return chain;
    }
    if !(held && marked) {
        // As it was when it was looked at: a later word to its node keeps it.
        chain.push(delete(object, (!failed).then_some(object.revision)));
    }
    chain
}

impl PodGc {
    /// Ended pods beyond the threshold: evicted ones first, then the oldest. Told by extracted fields: nothing is decoded unless there are too many.
    fn ended(&self, view: &View) -> Vec<Arc<Object>> {
        let ended = |pod: &&Arc<Object>| matches!(pod.meta.field("status.phase"), Some("Succeeded" | "Failed"));
        let mut pods: Vec<Arc<Object>> = view.list(&PODS, None).filter(ended).cloned().collect();
        let excess = pods.len().saturating_sub(self.terminated_threshold);
        if self.terminated_threshold == 0 || excess == 0 {
            return Vec::new();
        }
        pods.sort_by_cached_key(|pod| {
            let pod_of = objects::decode::<Pod>(pod);
            let status = pod_of.as_ref().and_then(|pod| pod.status.as_ref());
            let evicted = status.is_some_and(|status| status.reason.as_deref() == Some("Evicted"));
            let created = pod_of.as_ref().and_then(|pod| pod.metadata.creation_timestamp.as_ref());
            (!evicted, created.map(|time| time.0), pod.key.clone())
        });
        pods.truncate(excess);
        pods
    }
}

fn delete(pod: &Object, revision: Option<u64>) -> Action {
    let (key, uid) = (pod.key.clone(), pod.meta.uid.clone());
    Action::Delete { key, uid, revision, grace: Some(0), propagation: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use serde_json::{Value, json};

    const RULE: FencingRule = FencingRule { freeze: true, deadline: Duration::from_secs(30) };

    fn controller(terminated_threshold: usize) -> PodGc {
        PodGc { terminated_threshold, heartbeats: Arc::new(crate::HeartbeatTable::default()), rule: RULE }
    }

    fn pod(name: &str, node: Option<&str>, deleting: bool, phase: &str) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "x"},
            "spec": {"containers": []}, "status": {"phase": phase},
        });
        if let Some(node) = node {
            pod["spec"]["nodeName"] = node.into();
        }
        if deleting {
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            pod["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        }
        pod
    }

    #[test]
    fn only_what_nobody_will_end() {
        let mut cluster = Cluster::default();
        cluster.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}));
        for (name, node, deleting) in [
            ("kept", Some("n1"), false),
            ("kept-ending", Some("n1"), true),
            ("kept-waiting", None, false),
            ("kept-fenced", Some("n2"), false),
            ("lost", Some("n2"), false),
            ("lost-ending", Some("n2"), true),
            ("unscheduled-ending", None, true),
        ] {
            let mut pod = pod(name, node, deleting, "Running");
            if name == "kept-fenced" {
                pod["metadata"]["annotations"] = json!({"raftsman.io/fencing": "freeze"});
            }
            cluster.put(pod);
        }
        cluster.pass(40);
        let rule = FencingRule { deadline: Duration::from_secs(60), ..RULE };
        cluster.settle(&[&PodGc { rule, ..controller(0) }]);
        assert_eq!(cluster.names(&PODS), ["kept", "kept-ending", "kept-fenced", "kept-waiting"]);
    }

    #[test]
    fn a_node_that_was_removed_and_lives_has_time_to_register_again() {
        let mut cluster = Cluster::default();
        let beats = Arc::new(crate::HeartbeatTable::default());
        let controller = PodGc { heartbeats: beats.clone(), ..controller(0) };
        cluster.put(pod("p", Some("n1"), false, "Running"));
        cluster.pass(3600);
        beats.beat("n1", cluster.mono);
        cluster.pass(39);
        let key = Key::new(&PODS, "x", "p");
        let plan = cluster.step(&controller, &key);
        assert!(plan.is_empty(), "{plan}");
        assert_eq!(plan.requeue_after, Some(Duration::from_secs(1)));
        // A pod that was given to a node before that one came.
        cluster.pass(3600);
        let early = cluster.put(pod("early", Some("n3"), false, "Pending")).key.clone();
        assert_eq!(cluster.step(&controller, &early).requeue_after, Some(QUARANTINE));
        let told = cluster.step(&controller, &key).to_string();
        assert!(told.contains("DeletionByPodGC") && told.contains("Failed"), "{told}");
        assert_eq!(cluster.names(&PODS), ["early"]);
    }

    #[test]
    fn a_held_pod_that_nobody_will_end_has_failed_and_one_on_a_lost_node_waits() {
        let mut cluster = Cluster::default();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]},
        }));
        for (name, node) in [("gone", Some("n2")), ("silent", Some("n1")), ("nowhere", None)] {
            let mut pod = pod(name, node, true, "Running");
            pod["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
            cluster.put(pod);
        }
        let controller = self::controller(0);
        cluster.pass(40);
        cluster.settle(&[&controller]);
        let phase =
            |cluster: &Cluster, name: &str| cluster.json(&Key::new(&PODS, "x", name))["status"]["phase"].clone();
        assert_eq!(["gone", "nowhere", "silent"].map(|name| phase(&cluster, name)), ["Failed", "Failed", "Running"]);
        let gone = cluster.json(&Key::new(&PODS, "x", "gone"));
        assert_eq!(gone["status"]["conditions"][0]["reason"], "DeletionByPodGC");
        // An administrator vouches for the silent node: from then on its pods have ended.
        cluster.edit(&Key::new(&NODES, "", "n1"), |node| {
            node["spec"]["taints"] = json!([{"key": fencing::OUT_OF_SERVICE, "effect": "NoExecute"}]);
        });
        cluster.settle(&[&controller]);
        assert_eq!(phase(&cluster, "silent"), "Failed");
    }

    #[test]
    fn evicted_and_then_the_oldest_ended_pods_go_first() {
        let mut cluster = Cluster::default();
        for name in ["c", "b", "a"] {
            cluster.put(pod(name, None, false, "Succeeded"));
            cluster.pass(1);
        }
        cluster.put(pod("z", None, false, "Running"));
        let mut evicted = pod("d", None, false, "Failed");
        evicted["status"]["reason"] = "Evicted".into();
        cluster.put(evicted);
        cluster.settle(&[&controller(2)]);
        assert_eq!(cluster.names(&PODS), ["a", "b", "z"]);
    }
}

#[cfg(test)]
#[path = "fenced_pods_tests.rs"]
mod fenced_pods_tests;
