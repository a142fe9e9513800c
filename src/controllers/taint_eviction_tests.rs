#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::Cluster;
use serde_json::Value;

fn cluster(tolerations: Value, dated: bool) -> (Cluster, Key) {
    let mut cluster = Cluster::default();
    let mut taint = json!({"key": "k", "effect": "NoExecute"});
    if dated {
        taint["timeAdded"] = "2026-01-02T03:04:05Z".into();
    }
    cluster.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {"taints": [taint]}}));
    let pod = cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "x"},
        "spec": {"containers": [], "nodeName": "n1", "tolerations": tolerations}, "status": {"phase": "Running"},
    }));
    (cluster, pod.key.clone())
}

#[test]
fn pods_leave_when_their_tolerance_ends() {
    let cases = [
        (json!([]), Some(0)),
        (json!([{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}]), Some(0)),
        (json!([{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}]), Some(30)),
        (
            json!([{"operator": "Exists", "tolerationSeconds": 30}, {"key": "k", "operator": "Exists", "tolerationSeconds": 10}]),
            Some(10),
        ),
        (json!([{"operator": "Exists"}]), None),
        (json!([{"key": "k"}]), None),
        (json!([{"key": "k", "value": "v"}]), Some(0)),
        (json!([{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]), Some(0)),
        (json!([{"key": "other", "operator": "Exists"}]), Some(0)),
    ];
    for dated in [true, false] {
        for (tolerations, after) in &cases {
            let (mut cluster, pod) = cluster(tolerations.clone(), dated);
            let settle = |cluster: &mut Cluster| {
                cluster.settle(&[&TaintEviction]);
                cluster.view().get(&pod).unwrap().meta.deleting
            };
            match after {
                Some(0) => assert!(settle(&mut cluster), "{tolerations}"),
                Some(after) => {
                    assert!(!settle(&mut cluster), "{tolerations}");
                    assert_eq!(cluster.step(&TaintEviction, &pod).requeue_after, Some(Duration::from_secs(*after)));
                    cluster.pass(after - 1);
                    assert!(!settle(&mut cluster), "{tolerations}");
                    cluster.pass(1);
                    assert!(settle(&mut cluster), "{tolerations}");
                }
                None => {
                    cluster.pass(1_000_000);
                    assert!(!settle(&mut cluster), "{tolerations}");
                }
            }
        }
    }
}

#[test]
fn eviction_says_why() {
    let (mut cluster, pod) = cluster(json!([]), true);
    let text = cluster.step(&TaintEviction, &pod).to_string();
    assert!(text.contains("DeletionByTaintManager"), "{text}");
    assert!(text.contains("\ndelete pods x/p\n"), "{text}");
    assert!(text.ends_with("event pods x/p Normal TaintManagerEviction: Marking for deletion Pod x/p\n"), "{text}");
}
