//! Services, slices and nodes → what the network room wants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::network::{host_resolvers, peers};
use super::services::entry;
use crate::world::{Change, Name, World};
use raftsman_network::border::{Affinity, Protocol, ServiceEntry};
use serde_json::{Value, json};

fn name(name: &str) -> Name {
    ("ns".to_owned(), name.to_owned())
}

fn put(world: &mut World, resource: &str, object: &str, mut json: Value) -> Vec<Change> {
    json["metadata"]["name"] = json!(object);
    let key = if resource == "nodes" { (String::new(), object.to_owned()) } else { name(object) };
    world.put(resource, &key, &serde_json::to_vec(&json).unwrap()).unwrap()
}

fn slice(world: &mut World, object: &str, service: &str, endpoints: Value) -> Vec<Change> {
    let labels = json!({"labels": {"kubernetes.io/service-name": service}});
    let ports =
        json!([{"name": "web", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let json = json!({"metadata": labels, "addressType": "IPv4", "endpoints": endpoints, "ports": ports});
    put(world, "discovery.k8s.io/endpointslices", object, json)
}

fn ends(entry: &ServiceEntry, port: usize) -> Vec<String> {
    let ends = &entry.ports[port].endpoints;
    ends.iter()
        .map(|end| {
            format!(
                "{}:{}{}{}",
                end.ip,
                end.port,
                if end.local { " local" } else { "" },
                match (end.ready, end.serving && end.terminating) {
                    (true, _) => "",
                    (false, true) => " ending",
                    (false, false) => " unready",
                }
            )
        })
        .collect()
}

#[test]
fn ports_find_their_endpoints_in_all_slices() {
    let mut world = World::default();
    put(
        &mut world,
        "services",
        "s",
        json!({"spec": {
        "clusterIP": "10.96.0.5", "clusterIPs": ["10.96.0.5"], "type": "NodePort", "sessionAffinity": "ClientIP",
        "externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local",
        "ports": [{"name": "web", "port": 80, "nodePort": 30001}, {"name": "dns", "port": 53, "protocol": "UDP"}]}}),
    );
    let changes = slice(
        &mut world,
        "s-1",
        "s",
        json!([
        {"addresses": ["10.244.2.9"], "nodeName": "n2"},
        {"addresses": ["10.244.1.3"], "nodeName": "n1", "conditions": {"ready": true}}]),
    );
    assert_eq!(changes, [Change::Service(name("s"))]);
    slice(
        &mut world,
        "s-2",
        "s",
        json!([{"addresses": ["10.244.1.2"], "nodeName": "n1", "conditions": {"ready": false}}]),
    );
    slice(&mut world, "other", "t", json!([{"addresses": ["10.244.1.7"]}]));
    let entry = entry(&world, &name("s"), "n1").unwrap();
    assert_eq!(ends(&entry, 0), ["10.244.1.2:8080 local unready", "10.244.1.3:8080 local", "10.244.2.9:8080"]);
    assert_eq!(ends(&entry, 1).len(), 3);
    assert_eq!((entry.ports[0].node_port, entry.ports[1].protocol), (Some(30001), Protocol::Udp));
    assert_eq!((entry.affinity, entry.external_local, entry.internal_local), (Affinity::ClientIp(10_800), true, false));
    assert_eq!((entry.cluster_ips.len(), entry.external_ips.len()), (1, 1));
}

#[test]
fn endpoints_that_end_may_serve_on() {
    let mut world = World::default();
    put(
        &mut world,
        "services",
        "s",
        json!({"spec": {"clusterIP": "10.96.0.5", "ports": [{"name": "web", "port": 80}]}}),
    );
    let ending = |address: &str, serving: bool| json!({"addresses": [address], "conditions": {"ready": false, "serving": serving, "terminating": true}});
    slice(&mut world, "s-1", "s", json!([ending("10.244.1.2", true), ending("10.244.1.3", false)]));
    let entry = entry(&world, &name("s"), "n1").unwrap();
    assert_eq!(ends(&entry, 0), ["10.244.1.2:8080 ending", "10.244.1.3:8080 unready"]);
}

#[test]
fn a_slice_that_moves_or_goes_touches_both_services() {
    let mut world = World::default();
    for service in ["s", "t"] {
        put(
            &mut world,
            "services",
            service,
            json!({"spec": {"clusterIP": "None", "ports": [{"name": "web", "port": 80}]}}),
        );
    }
    let ends = |world: &World, service: &str| entry(world, &name(service), "n1").unwrap().ports[0].endpoints.len();
    slice(&mut world, "x", "s", json!([{"addresses": ["10.244.1.2"]}]));
    let changes = slice(&mut world, "x", "t", json!([{"addresses": ["10.244.1.2"]}]));
    assert_eq!(changes, [Change::Service(name("s")), Change::Service(name("t"))]);
    assert_eq!((ends(&world, "s"), ends(&world, "t")), (0, 1));
    assert_eq!(world.delete("discovery.k8s.io/endpointslices", &name("x")), [Change::Service(name("t"))]);
    assert_eq!(ends(&world, "t"), 0);
    assert!(entry(&world, &name("s"), "n1").unwrap().cluster_ips.is_empty());
    assert!(entry(&world, &name("none"), "n1").is_none());
}

#[test]
fn a_headless_service_without_ports_names_its_endpoints() {
    let mut world = World::default();
    put(&mut world, "services", "h", json!({"spec": {"clusterIP": "None"}}));
    let body = json!({"metadata": {"name": "x", "namespace": "default", "labels": {"kubernetes.io/service-name": "h"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.244.1.2"], "hostname": "a"}]});
    put(&mut world, "discovery.k8s.io/endpointslices", "x", body);
    let ports = entry(&world, &name("h"), "n1").unwrap().ports;
    assert_eq!((ports.len(), ports[0].port, ports[0].name.as_str()), (1, 0, ""));
    assert_eq!((ports[0].endpoints[0].port, ports[0].endpoints[0].hostname.as_deref()), (0, Some("a")));
}

#[test]
fn the_others_are_peers_once_they_have_a_range() {
    let mut world = World::default();
    let node = |cidr: Option<&str>, ip: &str| json!({"spec": {"podCIDR": cidr}, "status": {"addresses": [{"type": "Hostname", "address": "x"}, {"type": "InternalIP", "address": ip}]}});
    put(&mut world, "nodes", "n1", node(Some("10.244.1.0/24"), "10.89.0.11"));
    put(&mut world, "nodes", "n2", node(Some("10.244.2.0/24"), "10.89.0.12"));
    put(&mut world, "nodes", "n3", node(None, "10.89.0.13"));
    let found = peers(&world, "n1");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].ip.to_string()), ("n2", "10.89.0.12".to_owned()));
}

#[test]
fn resolvers_of_the_host_are_read() {
    let text = "nameserver 1.1.1.1 # near\n# nameserver 2.2.2.2\nnameserver fe80::1\nnameserver x\n";
    let found: Vec<String> = host_resolvers(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["1.1.1.1:53", "[fe80::1]:53"]);
}
