#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use k8s_openapi::api::core::v1::Pod;
use raftsman_controllers::testing::Cluster;
use serde_json::{Value, json};

fn node(name: &str, change: Value) -> Value {
    let mut node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {}}, "spec": {},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
    });
    for (part, value) in change.as_object().unwrap() {
        node[part].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    }
    node
}

fn held(name: &str, node: &str, cpu: &str, owner: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "x", "ownerReferences": [{"apiVersion": "v1", "kind": "R", "name": "r", "uid": owner, "controller": true}]},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
    })
}

fn choose(objects: Vec<Value>, spec: Value) -> Decision {
    let mut cluster = Cluster::default();
    objects.into_iter().for_each(|object| {
        cluster.put(object);
    });
    let mut index = Index::default();
    index.sync(&cluster.view());
    let owners = json!([{"apiVersion": "v1", "kind": "R", "name": "r", "uid": "own", "controller": true}]);
    let pod = json!({"metadata": {"name": "p", "namespace": "x", "uid": "p", "ownerReferences": owners}, "spec": spec});
    let pod: Pod = serde_json::from_value(pod).unwrap();
    Scheduler::default().schedule(&index, &Demand::of(&pod))
}

#[test]
fn the_message_counts_nodes_by_reason() {
    let nodes = vec![
        node("a", json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}})),
        node("b", json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}})),
        node("c", json!({"status": {"allocatable": {"cpu": "100m", "memory": "8Gi", "pods": "1"}}})),
    ];
    let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
    let Decision::Unschedulable { message, helped_by, .. } = choose(nodes, spec) else { panic!("it fits nowhere") };
    assert_eq!(message, "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}.");
    assert!(helped_by.meets(HelpedBy::POD_GONE));
    let Decision::Unschedulable { message, .. } = choose(Vec::new(), json!({"containers": []})) else { panic!() };
    assert_eq!(message, "no nodes available to schedule pods");
}

#[test]
fn each_score_decides_among_equals() {
    let plain = json!({"containers": [{"name": "c", "image": "big"}]});
    let two = || vec![node("a", json!({})), node("b", json!({}))];
    let with = |object: Value| two().into_iter().chain([object]).collect::<Vec<_>>();
    let preferred = json!({"containers": [], "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 5, "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}},
    ]}}});
    let soft = json!({"spec": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}});
    let image = json!({"status": {"images": [{"names": ["big"], "sizeBytes": 900_000_000}]}});
    for (what, objects, spec) in [
        ("least allocated", with(held("h", "a", "3", "other")), plain.clone()),
        ("spreading", with(held("h", "a", "0", "own")), plain.clone()),
        ("taint preference", vec![node("a", soft), node("b", json!({}))], plain.clone()),
        ("node preference", two(), preferred),
        ("image locality", vec![node("a", json!({})), node("b", image)], plain),
    ] {
        assert_eq!(choose(objects, spec), Decision::Bind("b".to_owned()), "{what}");
    }
}

#[test]
fn replicas_spread_over_zones_before_nodes() {
    let zone = |name: &str, zone: &str| {
        node(name, json!({"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}}))
    };
    let objects = vec![
        zone("a", "one"),
        zone("b", "one"),
        zone("c", "two"),
        held("h1", "a", "0", "own"),
        held("h2", "a", "0", "own"),
    ];
    assert_eq!(choose(objects, json!({"containers": []})), Decision::Bind("c".to_owned()));
}

#[test]
fn a_rule_that_cannot_be_kept_is_said_and_not_broken() {
    let spec = json!({"containers": [], "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"},
    ]});
    let Decision::Unschedulable { message, .. } = choose(vec![node("a", json!({}))], spec) else { panic!("bound") };
    assert!(message.starts_with("spec.topologySpreadConstraints"), "{message}");
}

#[test]
fn nothing_is_kept_of_a_node_that_is_gone_once_its_pods_are() {
    let mut cluster = Cluster::default();
    let mut index = Index::default();
    let (node, pod) =
        (cluster.put(node("a", json!({}))).key.clone(), cluster.put(held("p", "a", "1", "o")).key.clone());
    index.sync(&cluster.view());
    cluster.remove(&node);
    index.sync(&cluster.view());
    assert_eq!((index.nodes().count(), index.known()), (0, 1), "its pod counts still, should the node come back");
    cluster.remove(&pod);
    index.sync(&cluster.view());
    assert_eq!(index.known(), 0);
}
