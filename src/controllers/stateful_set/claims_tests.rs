//! What a set takes over, and the claims of its pods.
#![allow(clippy::unwrap_used)]

use super::StatefulSets;
use super::world::{World, pod_key, web};
use crate::Key;
use crate::objects::{CLAIMS, CONTROLLER_REVISIONS, PODS};
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

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
