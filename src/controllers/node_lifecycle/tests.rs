#![allow(clippy::unwrap_used)]

use super::*;
use crate::objects::{EVENTS, PODS};
use crate::testing::Cluster;
use crate::{HeartbeatTable, Key};
use raftsman_api::value::{At, set};
use serde_json::Value;

struct World {
    cluster: Cluster,
    beats: Arc<HeartbeatTable>,
    lifecycle: NodeLifecycle,
}

fn node(name: &str) -> Key {
    Key::new(&NODES, "", name)
}

impl World {
    fn new(nodes: &[&str]) -> Self {
        let beats = Arc::new(HeartbeatTable::default());
        let lifecycle = NodeLifecycle { heartbeats: beats.clone(), grace: Duration::from_secs(5) };
        let mut cluster = Cluster::default();
        for name in nodes {
            cluster.put(json!({
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
                "spec": {"taints": [{"key": "own", "effect": "NoExecute"}]},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }));
            cluster.put(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("on-{name}"), "namespace": "x"},
                "spec": {"containers": [], "nodeName": name},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            }));
        }
        Self { cluster, beats, lifecycle }
    }

    fn pass(&mut self, seconds: u64, alive: &[&str]) {
        for _ in 0..seconds {
            self.cluster.pass(1);
            alive.iter().for_each(|name| self.beats.beat(name, self.cluster.mono));
        }
        self.cluster.settle(&[&self.lifecycle]);
    }

    fn ready(&self, key: &Key) -> String {
        let json = self.cluster.json(key);
        raftsman_api::meta::condition(&json, "Ready").unwrap().text("status").to_owned()
    }

    fn taints(&self, name: &str) -> Vec<String> {
        let json = self.cluster.json(&node(name));
        let text = |taint: &Value| format!("{}:{}", taint.text("key"), taint.text("effect"));
        json.list("spec.taints").iter().map(text).collect()
    }
}

const LOST: [&str; 3] =
    ["own:NoExecute", "node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"];

#[test]
fn a_silent_node_is_lost_after_the_grace_and_comes_back_with_its_word() {
    let mut world = World::new(&["n1", "n2"]);
    world.pass(4, &["n2"]);
    assert_eq!(world.ready(&node("n1")), "True");
    let now = world.cluster.now();
    let plan = world.lifecycle.plan(&world.cluster.view(), &node("n1"), &now);
    assert_eq!(plan.requeue_after, Some(Duration::from_secs(1)), "woken when the grace ends");
    world.pass(1, &["n2"]);
    assert_eq!(world.ready(&node("n1")), "Unknown");
    assert_eq!(world.taints("n1"), LOST);
    assert_eq!(world.ready(&Key::new(&PODS, "x", "on-n1")), "False");
    assert_eq!((world.ready(&node("n2")), world.ready(&Key::new(&PODS, "x", "on-n2"))), ("True".into(), "True".into()));
    assert_eq!(world.taints("n2"), ["own:NoExecute"]);
    let reasons: Vec<_> = world
        .cluster
        .view()
        .list(&EVENTS, None)
        .map(|event| world.cluster.json(&event.key).text("reason").to_owned())
        .collect();
    assert_eq!(reasons, ["NodeNotReady", "NodeNotReady"]);
    // A heartbeat alone says nothing of its state; its report does.
    world.pass(1, &["n1", "n2"]);
    assert_eq!(world.ready(&node("n1")), "Unknown");
    world.cluster.edit(&node("n1"), |node| node["status"]["conditions"][0]["status"] = "True".into());
    world.pass(1, &["n1", "n2"]);
    assert_eq!(world.taints("n1"), ["own:NoExecute"]);
}

#[test]
fn a_new_leader_gives_the_full_grace_and_keeps_what_was_judged() {
    let mut world = World::new(&["n1", "n2"]);
    world.pass(5, &["n2"]);
    assert_eq!(world.ready(&node("n1")), "Unknown");
    world.cluster.mono = Duration::ZERO;
    world.beats = Arc::new(HeartbeatTable::default());
    world.lifecycle.heartbeats = world.beats.clone();
    world.pass(4, &[]);
    assert_eq!((world.ready(&node("n1")), world.ready(&node("n2"))), ("Unknown".into(), "True".into()));
    world.pass(1, &[]);
    assert_eq!(world.ready(&node("n2")), "Unknown");
}

#[test]
fn nobody_is_evicted_when_nobody_is_alive() {
    let mut world = World::new(&["n1", "n2"]);
    world.pass(5, &[]);
    for name in ["n1", "n2"] {
        assert_eq!(world.taints(name), ["own:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]);
    }
    let now = world.cluster.now();
    let plan = world.lifecycle.plan(&world.cluster.view(), &node("n1"), &now);
    assert_eq!(plan.requeue_after, Some(WITHHELD));
    world.pass(1, &["n2"]);
    assert_eq!(world.taints("n1"), LOST);
}

#[test]
fn taints_follow_conditions_and_cordons() {
    let mut world = World::new(&["n1", "n2"]);
    world.cluster.edit(&node("n1"), |node| {
        set(
            node,
            "status.conditions",
            json!([{"type": "Ready", "status": "False"}, {"type": "DiskPressure", "status": "True"}]),
        );
        set(node, "spec.unschedulable", true);
    });
    world.pass(1, &["n1", "n2"]);
    assert_eq!(
        world.taints("n1"),
        [
            "own:NoExecute",
            "node.kubernetes.io/not-ready:NoSchedule",
            "node.kubernetes.io/not-ready:NoExecute",
            "node.kubernetes.io/disk-pressure:NoSchedule",
            "node.kubernetes.io/unschedulable:NoSchedule",
        ]
    );
    assert_eq!(world.ready(&Key::new(&PODS, "x", "on-n1")), "False");
    world.cluster.edit(&node("n1"), |node| {
        set(node, "status.conditions", json!([{"type": "Ready", "status": "True"}]));
        set(node, "spec.unschedulable", Value::Null);
    });
    world.pass(1, &["n1", "n2"]);
    assert_eq!(world.taints("n1"), ["own:NoExecute"]);
}

#[test]
fn a_node_that_is_new_has_its_grace_however_long_somebody_leads() {
    let mut world = World::new(&["n1"]);
    world.pass(60, &["n1"]);
    // Its agent has not spoken yet; one of its name may have, long ago.
    for (name, spoke) in [("n2", false), ("n3", true)] {
        if spoke {
            world.beats.beat(name, Duration::from_secs(1));
        }
        world
            .cluster
            .put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": {}}));
    }
    let ready = |world: &World, name: &str| {
        let json = world.cluster.json(&node(name));
        raftsman_api::meta::condition(&json, "Ready").map(|ready| ready.text("status").to_owned())
    };
    world.pass(4, &["n1"]);
    assert_eq!((ready(&world, "n2"), ready(&world, "n3")), (None, None));
    world.pass(1, &["n1"]);
    let unknown = || Some("Unknown".to_owned());
    assert_eq!((ready(&world, "n2"), ready(&world, "n3")), (unknown(), unknown()));
}
