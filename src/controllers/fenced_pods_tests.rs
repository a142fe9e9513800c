//! Fenced pods on nodes that say nothing.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::HeartbeatTable;
use crate::testing::Cluster;
use raftsman_api::fencing::CONDITION;
use serde_json::{Value, json};

const RULE: FencingRule = FencingRule { freeze: true, deadline: Duration::from_secs(30) };

fn pod(name: &str, admitted: bool, deleting: bool) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": "x",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "s", "controller": true }],
        },
        "spec": { "containers": [], "nodeName": "n1" },
        "status": { "phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": [] },
    });
    if admitted {
        pod["status"]["conditions"] = json!([{ "type": CONDITION, "status": "True" }]);
    }
    if deleting {
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        pod["metadata"]["deletionGracePeriodSeconds"] = 30.into();
    }
    pod
}

fn world() -> (Cluster, Arc<HeartbeatTable>, PodGc) {
    let beats = Arc::new(HeartbeatTable::default());
    let controller = PodGc { terminated_threshold: 0, heartbeats: beats.clone(), rule: RULE };
    let mut cluster = Cluster::default();
    cluster.put(json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } }));
    (cluster, beats, controller)
}

#[test]
fn an_identity_is_given_away_after_the_whole_wait_and_says_why() {
    let (mut cluster, beats, controller) = world();
    let wait = RULE.give_away_after().as_secs();
    for (name, admitted, deleting) in [("gone", true, true), ("tolerates", true, false), ("unfenced", false, true)] {
        cluster.put(pod(name, admitted, deleting));
    }
    let mut unborn = pod("unborn", false, true);
    unborn["status"] = json!({ "phase": "Pending" });
    cluster.put(unborn);
    cluster.pass(7);
    beats.beat("n1", cluster.mono);
    cluster.pass(wait);
    let plan = controller.plan(&cluster.view(), &Key::new(&PODS, "x", "gone"), &cluster.now());
    assert!(plan.is_empty(), "{plan}");
    assert!(plan.requeue_after.unwrap() <= Duration::from_secs(1));
    cluster.pass(1);
    cluster.settle(&[&controller]);
    assert_eq!(cluster.names(&PODS), ["tolerates", "unfenced"]);
}

#[test]
fn a_new_leader_waits_in_full_and_a_living_node_ends_its_pods_itself() {
    let (mut cluster, beats, controller) = world();
    cluster.put(pod("gone", true, true));
    for _ in 0..9 {
        cluster.pass(10);
        beats.beat("n1", cluster.mono);
        cluster.settle(&[&controller]);
    }
    assert_eq!(cluster.names(&PODS), ["gone"]);
    // Another leader knows of no sign of life; its clock begins at zero.
    let controller = PodGc { heartbeats: Arc::new(HeartbeatTable::default()), ..controller };
    cluster.mono = RULE.give_away_after() - Duration::from_secs(1);
    cluster.settle(&[&controller]);
    assert_eq!(cluster.names(&PODS), ["gone"]);
    cluster.pass(1);
    cluster.settle(&[&controller]);
    assert!(cluster.names(&PODS).is_empty());
}

#[test]
fn a_word_given_meanwhile_makes_the_deletion_fail() {
    let (mut cluster, _, controller) = world();
    let key = cluster.put(pod("gone", true, true)).key.clone();
    cluster.pass(100);
    let plan = controller.plan(&cluster.view(), &key, &cluster.now());
    cluster.put(pod("gone", true, true));
    let delete = plan.actions().next().unwrap().clone();
    assert!(matches!(cluster.execute(&delete), Err(crate::ExecuteError::Conflict(_))));
}

#[test]
fn the_nodes_own_word_counts_where_it_is_longer_or_other() {
    let node = |annotations: Value| {
        serde_json::from_value::<Node>(json!({ "metadata": { "name": "n1", "annotations": annotations } })).unwrap()
    };
    let pod: Pod = serde_json::from_value(pod("p", true, true)).unwrap();
    let slow = node(json!({ "raftsman.io/fencing-deadline-seconds": "60" }));
    let never = node(json!({ "raftsman.io/fencing": "kubernetes" }));
    let deadline = |node| fencing::promise(&pod, node, None, RULE).map(|promise| promise.deadline.as_secs());
    assert_eq!((deadline(None), deadline(Some(&slow)), deadline(Some(&never))), (Some(30), Some(60), None));
}
