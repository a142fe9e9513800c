#![allow(clippy::unwrap_used, clippy::panic)]

use crate::{Decision, Demand, Index, Scheduler};
use k8s_openapi::api::core::v1::Pod;
use raftsman_controllers::testing::Cluster;
use serde_json::{Value, json};

/// A node `n1` with 1 cpu, 1Gi, 3 pods, changed by a merge; a pod on it that takes 400m and port 80.
fn index(node: &Value) -> Index {
    let mut cluster = Cluster::default();
    let mut object = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"disk": "ssd", "size": "7"}}, "spec": {},
        "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "3", "ephemeral-storage": "10Gi", "example.org/gpu": "2"}},
    });
    for (part, value) in node.as_object().unwrap() {
        object[part].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    }
    cluster.put(object);
    cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "held", "namespace": "x"},
        "spec": {"nodeName": "n1", "containers": [{
            "name": "c", "resources": {"requests": {"cpu": "400m"}},
            "ports": [{"containerPort": 1, "hostPort": 80, "hostIP": "10.0.0.1", "protocol": "TCP"}],
        }]},
    }));
    let mut index = Index::default();
    index.sync(&cluster.view());
    index
}

fn refusal(node: &Value, spec: Value) -> String {
    let mut pod: Pod =
        serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "x"}, "spec": spec})).unwrap();
    pod.spec.as_mut().unwrap().containers.push(Default::default());
    match Scheduler::default().schedule(&index(node), &Demand::of(&pod)) {
        Decision::Bind(node) => node,
        Decision::Unschedulable { message, .. } => {
            message.strip_prefix("0/1 nodes are available: ").unwrap().to_owned()
        }
    }
}

fn asks(requests: Value) -> Value {
    json!({"containers": [{"name": "c", "resources": {"requests": requests}}]})
}

fn port(ip: &str, protocol: &str, number: i32) -> Value {
    json!({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": number, "hostIP": ip, "protocol": protocol}]}]})
}

fn affinity(expression: Value) -> Value {
    json!({"containers": [], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [expression]}],
    }}}})
}

#[test]
fn each_filter_says_why() {
    let none = json!({});
    let tainted = json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}});
    let soft = json!({"spec": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}});
    let cordoned = json!({"spec": {"unschedulable": true}});
    let full = json!({"status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "1"}}});
    let selector = "1 node(s) didn't match Pod's node affinity/selector.";
    let ports = "1 node(s) didn't have free ports for the requested pod ports.";
    let cases = [
        (&none, json!({"containers": []}), "n1"),
        (&none, asks(json!({"cpu": "600m"})), "n1"),
        (&none, asks(json!({"cpu": "601m"})), "1 Insufficient cpu."),
        (&none, asks(json!({"cpu": "2", "memory": "2Gi"})), "1 Insufficient cpu, 1 Insufficient memory."),
        (&none, asks(json!({"ephemeral-storage": "11Gi"})), "1 Insufficient ephemeral-storage."),
        (&none, asks(json!({"example.org/gpu": "2"})), "n1"),
        (&none, asks(json!({"example.org/gpu": "3"})), "1 Insufficient example.org/gpu."),
        (&none, asks(json!({"example.org/fpga": "1"})), "1 Insufficient example.org/fpga."),
        (&full, json!({"containers": []}), "1 Too many pods."),
        (
            &none,
            json!({"containers": [], "initContainers": [{"name": "i", "resources": {"requests": {"cpu": "700m"}}}]}),
            "1 Insufficient cpu.",
        ),
        (
            &none,
            json!({
                "containers": [{"name": "c", "resources": {"requests": {"cpu": "400m"}}}],
                "initContainers": [{"name": "i", "restartPolicy": "Always", "resources": {"requests": {"cpu": "300m"}}}],
            }),
            "1 Insufficient cpu.",
        ),
        (&none, json!({"containers": [], "nodeName": "n2"}), "1 node(s) didn't match the requested node name."),
        (&none, json!({"containers": [], "nodeSelector": {"disk": "ssd"}}), "n1"),
        (&none, json!({"containers": [], "nodeSelector": {"disk": "hdd"}}), selector),
        (&none, affinity(json!({"key": "disk", "operator": "In", "values": ["ssd"]})), "n1"),
        (&none, affinity(json!({"key": "disk", "operator": "NotIn", "values": ["ssd"]})), selector),
        (&none, affinity(json!({"key": "none", "operator": "NotIn", "values": ["ssd"]})), "n1"),
        (&none, affinity(json!({"key": "none", "operator": "Exists"})), selector),
        (&none, affinity(json!({"key": "none", "operator": "DoesNotExist"})), "n1"),
        (&none, affinity(json!({"key": "size", "operator": "Gt", "values": ["6"]})), "n1"),
        (&none, affinity(json!({"key": "size", "operator": "Lt", "values": ["7"]})), selector),
        (&tainted, json!({"containers": []}), "1 node(s) had untolerated taint {k: v}."),
        (&tainted, json!({"containers": [], "tolerations": [{"key": "k", "operator": "Equal", "value": "v"}]}), "n1"),
        (
            &tainted,
            json!({"containers": [], "tolerations": [{"key": "k", "value": "w"}]}),
            "1 node(s) had untolerated taint {k: v}.",
        ),
        (&soft, json!({"containers": []}), "n1"),
        (&cordoned, json!({"containers": []}), "1 node(s) were unschedulable."),
        (&cordoned, json!({"containers": [], "tolerations": [{"operator": "Exists"}]}), "n1"),
        (&none, port("", "TCP", 80), ports),
        (&none, port("10.0.0.1", "TCP", 80), ports),
        (&none, port("10.0.0.2", "TCP", 80), "n1"),
        (&none, port("", "UDP", 80), "n1"),
        (&none, port("", "TCP", 81), "n1"),
    ];
    for (node, spec, expected) in cases {
        assert_eq!(refusal(node, spec.clone()), expected, "{spec}");
    }
}
