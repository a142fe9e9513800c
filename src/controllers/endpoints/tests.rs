#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::objects::{ENDPOINT_SLICES, ENDPOINTS};
use crate::testing::Cluster;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

fn service(change: impl FnOnce(&mut Value)) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "x", "labels": {"team": "a"}},
        "spec": {
            "clusterIP": "10.96.0.7", "ipFamilies": ["IPv4"], "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    });
    change(&mut service);
    service
}

fn pod(number: usize, ready: bool) -> Value {
    let (a, b) = (number / 250, number % 250);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{number:03}"), "namespace": "x", "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}],
        },
        "status": {
            "phase": "Running", "podIP": format!("10.244.{a}.{b}"), "podIPs": [{"ip": format!("10.244.{a}.{b}")}],
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
        },
    })
}

fn settle(cluster: &mut Cluster) {
    cluster.settle(&[&Endpoints, &EndpointSlices]);
}

fn slices(cluster: &Cluster) -> Vec<Value> {
    cluster.view().list(&ENDPOINT_SLICES, None).map(|slice| cluster.json(&slice.key)).collect()
}

fn endpoints(cluster: &Cluster) -> Value {
    cluster.json(&Key::new(&ENDPOINTS, "x", "web"))
}

/// Addresses with their conditions (ready, serving, terminating), over all slices.
fn conditions(cluster: &Cluster) -> Vec<(String, bool, bool, bool)> {
    let mut all: Vec<_> = slices(cluster)
        .iter()
        .flat_map(|slice| slice.list("endpoints").to_vec())
        .map(|endpoint| {
            let flag = |name: &str| endpoint.flag(&format!("conditions.{name}"));
            (endpoint["addresses"][0].as_str().unwrap().to_owned(), flag("ready"), flag("serving"), flag("terminating"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn ready_pods_serve_and_others_are_listed() {
    let mut cluster = Cluster::default();
    cluster.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z"}}}));
    cluster.put(service(|_| {}));
    cluster.put(pod(1, true));
    cluster.put(pod(2, false));
    let mut ending = pod(3, true);
    set(&mut ending, "metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
    cluster.put(ending);
    let mut ended = pod(4, true);
    set(&mut ended, "status.phase", "Succeeded");
    cluster.put(ended);
    let mut other = pod(5, true);
    set(&mut other, "metadata.labels.app", "other");
    cluster.put(other);
    settle(&mut cluster);
    let address = |n: usize| format!("10.244.0.{n}");
    assert_eq!(
        conditions(&cluster),
        [(address(1), true, true, false), (address(2), false, false, false), (address(3), false, true, true)]
    );
    let kept = endpoints(&cluster);
    let subset = &kept.list("subsets")[0];
    assert_eq!(subset["addresses"].as_array().unwrap().len(), 1);
    assert_eq!(subset["addresses"][0]["ip"], address(1));
    assert_eq!(subset["addresses"][0]["nodeName"], "n1");
    assert_eq!(subset["notReadyAddresses"][0]["ip"], address(2));
    assert_eq!(subset["ports"], json!([{"name": "http", "port": 8080, "protocol": "TCP"}]));
    assert_eq!(kept["metadata"]["labels"]["team"], "a");
    let slice = &slices(&cluster)[0];
    assert_eq!(slice["addressType"], "IPv4");
    assert_eq!(slice["ports"], json!([{"name": "http", "port": 8080, "protocol": "TCP"}]));
    assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "web");
    assert_eq!(
        slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    assert_eq!(slice["metadata"]["ownerReferences"][0]["kind"], "Service");
    assert_eq!(slice["endpoints"][0]["zone"], "z");
    assert_eq!(slice["endpoints"][0]["targetRef"]["name"], "p001");
}

#[test]
fn a_service_may_want_pods_that_are_not_ready() {
    let mut cluster = Cluster::default();
    cluster.put(service(|service| {
        set(service, "spec.publishNotReadyAddresses", true);
        set(service, "spec.clusterIP", "None");
    }));
    let mut named = pod(1, false);
    set(&mut named, "spec.hostname", "db-0");
    set(&mut named, "spec.subdomain", "web");
    cluster.put(named);
    settle(&mut cluster);
    assert_eq!(conditions(&cluster), [("10.244.0.1".to_owned(), true, false, false)]);
    let kept = endpoints(&cluster);
    assert_eq!(kept.list("subsets")[0]["addresses"][0]["hostname"], "db-0");
    assert_eq!(kept["metadata"]["labels"]["service.kubernetes.io/headless"], "");
    assert_eq!(slices(&cluster)[0]["endpoints"][0]["hostname"], "db-0");
}

#[test]
fn slices_are_full_before_there_is_another_and_stay_as_they_are() {
    let mut cluster = Cluster::default();
    let key = cluster.put(service(|_| {})).key.clone();
    for number in 1..=230 {
        cluster.put(pod(number, true));
    }
    settle(&mut cluster);
    let mut sizes: Vec<usize> = slices(&cluster).iter().map(|slice| slice.list("endpoints").len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [30, 100, 100]);
    cluster.put(pod(7, false));
    let plan = cluster.step(&EndpointSlices, &key);
    assert_eq!(plan.actions().count(), 1, "one endpoint changes one slice: {plan}");
    cluster.put(pod(240, true));
    let plan = cluster.step(&EndpointSlices, &key);
    assert_eq!(plan.actions().count(), 1, "a new one goes where there is room: {plan}");
    for number in 1..=240 {
        cluster.remove(&Key::new(&PODS, "x", &format!("p{number:03}")));
    }
    settle(&mut cluster);
    assert_eq!(slices(&cluster).len(), 1, "one empty slice says that there is nobody");
}

#[test]
fn endpoints_that_are_too_many_are_cut_and_say_so() {
    let mut cluster = Cluster::default();
    cluster.put(service(|_| {}));
    for number in 1..=1001 {
        cluster.put(pod(number, number != 5));
    }
    settle(&mut cluster);
    let seen = |cluster: &Cluster| {
        let kept = endpoints(cluster);
        let subset = &kept.list("subsets")[0];
        let note = kept["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"].clone();
        (subset.list("addresses").len(), subset.list("notReadyAddresses").len(), note)
    };
    assert_eq!(seen(&cluster), (1000, 0, json!("truncated")));
    cluster.edit(&Key::new(&ENDPOINTS, "x", "web"), |kept| set(kept, "metadata.annotations.own", "stays"));
    cluster.remove(&Key::new(&PODS, "x", "p007"));
    settle(&mut cluster);
    assert_eq!(seen(&cluster), (999, 1, Value::Null));
    assert_eq!(endpoints(&cluster)["metadata"]["annotations"]["own"], "stays");
    cluster.put(pod(7, true));
    settle(&mut cluster);
    assert_eq!(seen(&cluster), (1000, 0, json!("truncated")));
}

#[test]
fn a_service_that_goes_takes_its_endpoints_along_and_strangers_stay() {
    let mut cluster = Cluster::default();
    let key = cluster.put(service(|_| {})).key.clone();
    cluster.put(pod(1, true));
    cluster.put(json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "by-hand", "namespace": "x"}}));
    cluster.put(service(|service| {
        set(service, "metadata.name", "by-hand");
        set(service, "spec.selector", Value::Null);
    }));
    settle(&mut cluster);
    cluster.remove(&key);
    cluster.remove(&Key::new(&SERVICES, "x", "by-hand"));
    settle(&mut cluster);
    assert_eq!(cluster.names(&ENDPOINTS), ["by-hand"]);
    assert!(slices(&cluster).is_empty());
}

#[test]
fn only_changes_that_matter_wake_services() {
    let mut cluster = Cluster::default();
    let key = cluster.put(service(|_| {})).key.clone();
    let pod_key = cluster.put(pod(1, false)).key.clone();
    let wakes = |cluster: &Cluster| {
        let view = cluster.view();
        let last = view.changes_after(&PODS, 0).unwrap().last().unwrap().clone();
        Controller::wants(&EndpointSlices, &last, &view)
    };
    use crate::Controller;
    assert_eq!(wakes(&cluster), std::slice::from_ref(&key));
    cluster.edit(&pod_key, |pod| set(pod, "status.startTime", "2026-01-01T00:00:00Z"));
    assert!(wakes(&cluster).is_empty());
    cluster.put(pod(1, true));
    assert_eq!(wakes(&cluster), std::slice::from_ref(&key));
    cluster.edit(&pod_key, |pod| set(pod, "metadata.labels.app", "other"));
    assert_eq!(wakes(&cluster), [key], "it was selected before");
}
