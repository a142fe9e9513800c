//! The order of pods, their names, and updates.
#![allow(clippy::unwrap_used)]

use super::world::{World, pod_key, web};
use super::*;
use crate::objects::{EVENTS, NODES};
use crate::testing::pod_gc;
use raftsman_api::value::{At, set};
use serde_json::json;
use std::collections::BTreeSet;

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
    world.cluster.pass(40);
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
fn pods_that_serve_for_a_short_time_are_not_ended_all_at_once() {
    let mut set_ = web(3);
    set(&mut set_, "spec.podManagementPolicy", "Parallel");
    set(&mut set_, "spec.minReadySeconds", 10);
    let mut world = World::new(set_);
    world.run();
    world.new_image("i:2");
    world.settle();
    let ending = |world: &World| -> Vec<String> {
        let view = world.cluster.view();
        view.list(&PODS, None).filter(|pod| pod.meta.deleting).map(|pod| pod.key.name().to_owned()).collect()
    };
    assert!(ending(&world).is_empty(), "none is available yet: {:?}", ending(&world));
    // One that does not serve is no loss.
    world.cluster.run_pod(&pod_key("web-0"), false);
    world.settle();
    assert_eq!(ending(&world), ["web-0"]);
    world.nodes_work();
    world.cluster.pass(10);
    world.settle();
    world.nodes_work();
    world.cluster.pass(10);
    world.settle();
    assert_eq!(ending(&world), ["web-2"]);
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
