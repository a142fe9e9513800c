//! Addresses, ports and ranges have one owner each.
#![allow(clippy::unwrap_used)]

use super::fixture::{fixture, service, target, value};
use super::*;
use raftsman_api::value::{At, set};
use raftsman_store::border::Store;
use serde_json::{Value, json};

#[tokio::test]
async fn service_addresses_are_unique_and_freed() {
    let f = fixture().await;
    assert!(f.held("networking.k8s.io/ipaddresses", "10.96.0.1"));
    let taken = f.create("services", service("a", json!({ "clusterIP": "10.96.0.1" }))).await.unwrap_err();
    assert!(taken.message.contains("failed to allocate IP 10.96.0.1: provided IP is already allocated"), "{taken}");
    let outside = f.create("services", service("a", json!({ "clusterIP": "10.1.0.1" }))).await.unwrap_err();
    assert!(outside.message.contains("The range of valid IPs is 10.96.0.0/16"), "{outside}");
    let made = value(&f.create("services", service("a", json!({}))).await.unwrap());
    let ip = made.text("spec.clusterIP").to_owned();
    assert_eq!(made["spec"]["clusterIPs"], json!([ip]));
    assert!(f.held("networking.k8s.io/ipaddresses", &ip));
    let headless = value(&f.create("services", service("h", json!({ "clusterIP": "None" }))).await.unwrap());
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    f.api.delete(&f.caller, &target("services", "a"), &DeleteOptions::default()).await.unwrap();
    assert!(!f.held("networking.k8s.io/ipaddresses", &ip));
}

#[tokio::test]
async fn node_ports_are_unique_and_freed_with_the_type() {
    let f = fixture().await;
    let spec = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30001 }] });
    f.create("services", service("a", spec.clone())).await.unwrap();
    let taken = f.create("services", service("b", spec)).await.unwrap_err();
    assert!(
        taken.message.contains("spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated"),
        "{taken}"
    );
    let far = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 80 }] });
    let far = f.create("services", service("b", far)).await.unwrap_err();
    assert!(far.message.contains("The range of valid ports is 30000-32767"), "{far}");
    let b = value(&f.create("services", service("b", json!({ "type": "NodePort" }))).await.unwrap());
    assert!((30000..=32767).contains(&b["spec"]["ports"][0]["nodePort"].as_i64().unwrap()));
    let plain = |old: &Value| {
        let mut new = old.clone();
        set(&mut new, "spec.type", "ClusterIP");
        Some(new)
    };
    let a = value(&f.api.modify(&f.caller, &target("services", "a"), plain).await.unwrap());
    assert_eq!(a["spec"]["ports"][0].get("nodePort"), None);
    assert!(!f.held("raftsman/nodeports", "30001"));
    // A new address is not drawn for an old Service.
    assert!(f.held("networking.k8s.io/ipaddresses", a.text("spec.clusterIP")));
}

#[tokio::test]
async fn racing_services_never_share_a_port() {
    let f = fixture().await;
    let makers = (0..20).map(|n| {
        let (api, caller) = (f.api.clone(), f.caller.clone());
        let json = service(&format!("s{n}"), json!({ "type": "NodePort" }));
        tokio::spawn(async move { api.create(&caller, &target("services", ""), json, &WriteOptions::default()).await })
    });
    let mut seen = std::collections::BTreeSet::new();
    for made in futures::future::join_all(makers).await {
        let made = value(&made.unwrap().unwrap());
        assert!(seen.insert(made["spec"]["ports"][0]["nodePort"].as_i64().unwrap()));
        assert!(seen.insert(-i64::from(u32::from(made.text("spec.clusterIP").parse::<std::net::Ipv4Addr>().unwrap()))));
    }
}

#[tokio::test]
async fn a_range_of_pod_addresses_has_one_node_and_is_freed_with_it() {
    let f = fixture().await;
    let node = |name: &str, spec: Value| json!({ "metadata": { "name": name }, "spec": spec });
    f.create("nodes", node("a", json!({ "podCIDR": "10.244.0.0/24" }))).await.unwrap();
    assert!(f.held("raftsman/podcidrs", "10.244.0.0"));
    for spec in [json!({ "podCIDR": "10.244.0.0/24" }), json!({ "podCIDRs": ["10.244.0.0/23"] })] {
        let refused = f.create("nodes", node("b", spec)).await.unwrap_err();
        assert_eq!(refused.reason, "Invalid");
        assert!(refused.message.contains("which node a has"), "{}", refused.message);
    }
    // Two at once: one of them.
    f.create("nodes", node("b", json!({}))).await.unwrap();
    f.create("nodes", node("c", json!({}))).await.unwrap();
    let give = |name: &'static str| {
        let (api, caller) = (f.api.clone(), f.caller.clone());
        async move {
            api.modify(&caller, &target("nodes", name), |old| {
                let mut new = old.clone();
                set(&mut new, "spec.podCIDR", "10.244.1.0/24");
                Some(new)
            })
            .await
        }
    };
    let (b, c) = tokio::join!(give("b"), give("c"));
    assert_eq!([&b, &c].iter().filter(|given| given.is_ok()).count(), 1, "{b:?} {c:?}");
    // What is written without the range keeps it, and the reservation with it.
    let kept = f.api.update(&f.caller, &target("nodes", "a"), node("a", json!({})), &WriteOptions::default()).await;
    assert_eq!(value(&kept.unwrap())["spec"]["podCIDRs"], json!(["10.244.0.0/24"]));
    f.api.delete(&f.caller, &target("nodes", "a"), &DeleteOptions::default()).await.unwrap();
    assert!(!f.held("raftsman/podcidrs", "10.244.0.0"));
    f.create("nodes", node("d", json!({ "podCIDR": "10.244.0.0/24" }))).await.unwrap();
}

#[tokio::test]
async fn what_a_change_takes_away_while_its_service_goes_is_freed_too() {
    let f = fixture().await;
    let mut json = service("s", json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30005 }] }));
    set(&mut json, "metadata.finalizers", json!(["example.com/held"]));
    let made = value(&f.create("services", json).await.unwrap());
    let s = target("services", "s");
    assert!(!f.api.delete(&f.caller, &s, &DeleteOptions::default()).await.unwrap().gone);
    // One write lets it go and wants another port.
    let moved = |old: &Value| {
        let mut new = old.clone();
        raftsman_api::value::remove(&mut new, "metadata.finalizers");
        set(&mut new, "spec.ports", json!([{ "port": 80, "nodePort": 30006 }]));
        Some(new)
    };
    f.api.modify(&f.caller, &s, moved).await.unwrap();
    assert!(f.store.view().get(&s.key()).is_none());
    assert!(!f.held("raftsman/nodeports", "30005") && !f.held("raftsman/nodeports", "30006"));
    assert!(!f.held("networking.k8s.io/ipaddresses", made.text("spec.clusterIP")));
}
