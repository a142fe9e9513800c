#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::objects::NODES;
use crate::testing::Cluster;
use raftsman_api::value::{At, set};
use raftsman_api::volumes::{CLAIM_PROTECTION, LOCAL_PATH, SELECTED_NODE, VOLUME_PROTECTION};
use serde_json::{Value, json};

fn claim(name: &str, class: Option<&str>, size: &str) -> Value {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "x", "finalizers": [CLAIM_PROTECTION]},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
        "status": {"phase": "Pending"},
    });
    if let Some(class) = class {
        set(&mut claim, "spec.storageClassName", class);
    }
    claim
}

fn volume(name: &str, size: &str, policy: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "finalizers": [VOLUME_PROTECTION]},
        "spec": {
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "capacity": {"storage": size}, "storageClassName": "slow",
            "persistentVolumeReclaimPolicy": policy, "hostPath": {"path": "/data"},
        },
        "status": {"phase": "Pending"},
    })
}

fn class(name: &str, default: bool) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {DEFAULT_CLASS: default.to_string()}},
        "provisioner": LOCAL_PATH, "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn at(name: &str) -> Key {
    Key::new(&CLAIMS, "x", name)
}

fn on(name: &str) -> Key {
    Key::new(&VOLUMES, "", name)
}

fn phase(cluster: &Cluster, key: &Key) -> String {
    cluster.json(key).text("status.phase").to_owned()
}

#[test]
fn the_smallest_volume_that_fits_is_taken_and_kept_when_its_claim_goes() {
    let mut cluster = Cluster::default();
    for (name, size) in [("big", "10Gi"), ("small", "1Gi"), ("right", "2Gi")] {
        cluster.put(volume(name, size, "Retain"));
    }
    cluster.put(claim("data", Some("slow"), "2Gi"));
    cluster.settle(&[&Volumes]);
    let json = cluster.json(&at("data"));
    assert_eq!((json.text("spec.volumeName"), json.text("status.phase")), ("right", "Bound"));
    assert_eq!(json.at("status.capacity"), &json!({"storage": "2Gi"}));
    assert_eq!((phase(&cluster, &on("right")), phase(&cluster, &on("big"))), ("Bound".into(), "Available".into()));
    let held = cluster.json(&at("data"));
    cluster.delete(held, None, None);
    cluster.settle(&[&Volumes]);
    assert!(cluster.names(&CLAIMS).is_empty());
    assert_eq!(phase(&cluster, &on("right")), "Released");
    // A new claim of the name is another one: the data is not its own.
    cluster.put(claim("data", Some("slow"), "2Gi"));
    cluster.settle(&[&Volumes]);
    assert_eq!(cluster.json(&at("data")).text("spec.volumeName"), "big");
}

#[test]
fn a_claim_waits_until_something_fits() {
    let mut cluster = Cluster::default();
    cluster.put(volume("small", "1Gi", "Retain"));
    cluster.put(claim("data", Some("slow"), "2Gi"));
    let plan = cluster.step(&Volumes, &at("data"));
    assert!(plan.to_string().contains("storageclass.storage.k8s.io \"slow\" not found"), "{plan}");
    cluster.put(volume("new", "3Gi", "Retain"));
    cluster.settle(&[&Volumes]);
    assert_eq!(cluster.json(&at("data")).text("spec.volumeName"), "new");
    cluster.remove(&on("new"));
    cluster.settle(&[&Volumes]);
    assert_eq!(phase(&cluster, &at("data")), "Lost");
}

#[test]
fn a_directory_is_made_where_the_first_consumer_runs_and_goes_with_its_claim() {
    let mut cluster = Cluster::default();
    cluster.put(json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "host-1"}},
    }));
    cluster.put(class("local-path", true));
    cluster.put(claim("data", None, "1Gi"));
    cluster.settle(&[&Volumes]);
    assert_eq!(cluster.json(&at("data")).text("spec.storageClassName"), "local-path");
    assert!(cluster.names(&VOLUMES).is_empty(), "nobody uses it yet");
    cluster.edit(&at("data"), |claim| set(claim, "metadata.annotations", json!({SELECTED_NODE: "n1"})));
    cluster.settle(&[&Volumes]);
    let held = cluster.json(&at("data"));
    let name = format!("pvc-{}", held.text("metadata.uid"));
    assert_eq!((held.text("spec.volumeName"), held.text("status.phase")), (name.as_str(), "Bound"));
    let volume = cluster.json(&on(&name));
    assert_eq!(volume.text("spec.csi.volumeHandle"), name);
    assert_eq!(volume.text("spec.persistentVolumeReclaimPolicy"), "Delete");
    let term = &volume.list("spec.nodeAffinity.required.nodeSelectorTerms")[0];
    assert_eq!(term.list("matchExpressions")[0]["values"], json!(["host-1"]));
    let typed = serde_json::from_value(volume).unwrap();
    for (host, reached) in [("host-1", true), ("host-2", false)] {
        let node = serde_json::from_value(json!({"metadata": {"labels": {"kubernetes.io/hostname": host}}})).unwrap();
        assert_eq!(select::reaches(&typed, &node), reached);
    }
    // In use, it is not removed under its pod.
    cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user", "namespace": "x"},
        "spec": {"containers": [], "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]},
        "status": {"phase": "Running"},
    }));
    let json = cluster.json(&at("data"));
    cluster.delete(json, None, None);
    cluster.settle(&[&Volumes]);
    assert_eq!((cluster.names(&CLAIMS).len(), cluster.names(&VOLUMES).len()), (1, 1));
    cluster.remove(&Key::new(&PODS, "x", "user"));
    cluster.settle(&[&Volumes]);
    assert_eq!((cluster.names(&CLAIMS).len(), cluster.names(&VOLUMES).len()), (0, 0));
    assert_eq!(cluster.names(&NODES), ["n1"]);
}

#[test]
fn what_a_directory_cannot_be_is_refused() {
    for (path, value, why) in [
        ("spec.accessModes", json!(["ReadWriteMany"]), "access mode ReadWriteMany is not supported"),
        ("spec.volumeMode", json!("Block"), "volumeMode Block is not supported"),
        ("metadata.annotations", json!({SELECTED_NODE: "n9"}), "node \"n9\" cannot serve the claim"),
    ] {
        let mut cluster = Cluster::default();
        cluster.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}));
        cluster.put(class("local-path", false));
        let mut wrong = claim("data", Some("local-path"), "1Gi");
        set(&mut wrong, "metadata.annotations", json!({SELECTED_NODE: "n1"}));
        set(&mut wrong, path, value);
        cluster.put(wrong);
        let plan = cluster.step(&Volumes, &at("data"));
        assert!(plan.to_string().contains(why), "{plan}");
    }
}

#[test]
fn a_binding_that_was_left_half_done_is_finished() {
    let mut cluster = Cluster::default();
    cluster.put(volume("one", "1Gi", "Retain"));
    cluster.put(volume("two", "1Gi", "Retain"));
    cluster.put(claim("data", Some("slow"), "1Gi"));
    let now = cluster.now();
    let plan = Volumes.plan(&cluster.view(), &at("data"), &now);
    let chain = &plan.chains[0];
    assert_eq!(chain.len(), 2, "{plan}");
    cluster.execute(&chain[0]).unwrap();
    cluster.settle(&[&Volumes]);
    let taken = chain[0].key().name().to_owned();
    assert_eq!(cluster.json(&at("data")).text("spec.volumeName"), taken);
    let free = if taken == "one" { "two" } else { "one" };
    assert_eq!(phase(&cluster, &on(free)), "Available");
}
