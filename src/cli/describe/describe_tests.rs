#![allow(clippy::unwrap_used)]

use crate::describe::page::Page;
use crate::describe::{events, generic, pod, service, workload};
use serde_json::{Value, json};

fn page(describe: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::default();
    describe(&mut page);
    page.finish()
}

#[test]
fn a_pod_tells_why_it_waits() {
    let object = json!({
        "metadata": {"name": "web", "namespace": "default", "ownerReferences": [{"kind": "ReplicaSet", "name": "w", "controller": true}]},
        "spec": {"nodeName": "n1", "containers": [{
            "name": "c", "image": "i:1", "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "value": "b"}, {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "readinessProbe": {"tcpSocket": {"port": 80}},
        }]},
        "status": {"phase": "Pending", "containerStatuses": [{
            "name": "c", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}},
        }]},
    });
    let text = page(|page| {
        page.metadata(&object, true);
        pod::describe(page, &object);
    });
    // The width of the columns does not matter here.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Controlled By: ReplicaSet/w",
        "State: Waiting Reason: CrashLoopBackOff Last State: Terminated Exit Code: 3",
        "Restart Count: 2",
        "Environment: A: b S: <set to k of secret 's'>",
        "tcp-socket :80 delay=0s timeout=1s period=10s #success=1 #failure=3",
    ] {
        assert!(words.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_service_lists_what_is_ready_behind_each_port() {
    let object = json!({"spec": {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30001}]}});
    let slices = json!({"items": [{"ports": [{"name": "http", "port": 8080}], "endpoints": [
        {"addresses": ["10.244.0.2"]}, {"addresses": ["10.244.0.3"], "conditions": {"ready": false}},
    ]}]});
    let text = page(|page| service::describe(page, &object, &slices));
    assert!(text.contains("10.244.0.2:8080") && !text.contains("10.244.0.3"), "{text}");
    assert!(text.contains("30001/TCP"), "{text}");
}

#[test]
fn a_secret_keeps_its_values() {
    let text = page(|page| generic::describe(page, &json!({"kind": "Secret", "data": {"password": "MTIzNDU2"}})));
    assert!(text.contains("6 bytes") && !text.contains("MTIz"), "{text}");
    let text =
        page(|page| workload::describe(page, &json!({"spec": {"replicas": 2, "selector": {"a": "b"}}, "status": {}})));
    assert!(text.contains("0 current / 2 desired"), "{text}");
}

#[test]
fn events_are_in_order_with_their_age() {
    let event = |reason: &str, last: &str, count: u64| {
        json!({"type": "Normal", "reason": reason, "message": "m", "count": count, "lastTimestamp": last,
            "firstTimestamp": "2026-01-01T00:00:00Z", "source": {"component": "kubelet"}})
    };
    let list = json!({"items": [event("B", "2026-01-01T00:04:30Z", 3), event("A", "2026-01-01T00:00:10Z", 1)]});
    let text = events::render(&list, "2026-01-01T00:05:00Z".parse().unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[3].contains("A") && lines[3].contains("4m50s"), "{text}");
    assert!(lines[4].contains("B") && lines[4].contains("30s (x3 over 5m)"), "{text}");
    assert!(events::render(&Value::Null, "2026-01-01T00:05:00Z".parse().unwrap()).contains("<none>"));
}
