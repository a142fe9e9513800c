#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crate::border::{Affinity, Endpoint, Protocol, ServiceEntry, ServicePort};
use crate::rules::model::{Front, LOCAL_BASE, Side, Slot, Target};
use crate::rules::render::render_service;
use std::net::{Ipv4Addr, SocketAddrV4};

const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

fn endpoint(last: u8, local: bool) -> Endpoint {
    Endpoint {
        ip: Ipv4Addr::new(10, 244, 0, last).into(),
        port: 8080,
        local,
        hostname: None,
        ready: true,
        serving: true,
        terminating: false,
    }
}

fn service(endpoints: Vec<Endpoint>) -> ServiceEntry {
    ServiceEntry {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        cluster_ips: vec!["10.96.1.1".parse().unwrap()],
        external_ips: vec!["10.99.0.1".parse().unwrap()],
        external_name: None,
        affinity: Affinity::None,
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
        ports: vec![ServicePort {
            name: String::new(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: Some(30001),
            endpoints,
        }],
    }
}

fn front(address: Option<&str>, port: u16) -> Front {
    Front { address: address.map(|a| a.parse().unwrap()), protocol: Protocol::Tcp, port }
}

fn chain(service: &ServiceEntry, front: Front, side: Side) -> String {
    match render_service(service, RESOLVER).targets.get(&(front, side)) {
        Some(Target::Balance(balancer)) => balancer.chain(),
        Some(other) => format!("{other:?}"),
        None => "none".to_owned(),
    }
}

#[test]
fn every_front_gets_its_chain() {
    let (cluster, external, node) = (front(Some("10.96.1.1"), 80), front(Some("10.99.0.1"), 80), front(None, 30001));
    let plain = service(vec![endpoint(1, true), endpoint(2, false), endpoint(3, false)]);
    let mut inner = plain.clone();
    inner.internal_local = true;
    let mut outer = plain.clone();
    outer.external_local = true;
    let mut sticky = plain.clone();
    sticky.affinity = Affinity::ClientIp(60);
    let away = service(vec![endpoint(2, false)]);
    let mut inner_away = away.clone();
    inner_away.internal_local = true;
    let mut outer_away = away.clone();
    outer_away.external_local = true;
    let empty = service(Vec::new());
    for (what, service, front, side, expected) in [
        ("plain cluster", &plain, cluster, Side::Inside, "lb-3"),
        ("plain cluster outside", &plain, cluster, Side::Outside, "none"),
        ("plain external", &plain, external, Side::Inside, "lb-ext-3"),
        ("plain node port", &plain, node, Side::Inside, "np-ext-3"),
        ("internal local", &inner, cluster, Side::Inside, "lb-1"),
        ("internal local node port", &inner, node, Side::Inside, "np-ext-3"),
        ("external local inside", &outer, node, Side::Inside, "np-ext-3"),
        ("external local outside", &outer, node, Side::Outside, "np-local-1"),
        ("external local address outside", &outer, external, Side::Outside, "lb-local-1"),
        ("external local cluster", &outer, cluster, Side::Inside, "lb-3"),
        ("sticky", &sticky, node, Side::Inside, "np-ext-aff60-3"),
        ("internal local away", &inner_away, cluster, Side::Inside, "Drop"),
        ("external local away", &outer_away, node, Side::Outside, "Drop"),
        ("external local away, inside", &outer_away, node, Side::Inside, "np-ext-1"),
        ("empty", &empty, cluster, Side::Inside, "Reject"),
        ("empty node port", &empty, node, Side::Inside, "Reject"),
    ] {
        assert_eq!(chain(service, front, side), expected, "{what}");
    }
}

#[test]
fn endpoints_that_are_not_ready_or_repeated_are_left_out() {
    let mut not_ready = endpoint(2, false);
    not_ready.ready = false;
    let rules = render_service(&service(vec![endpoint(1, true), not_ready, endpoint(1, true)]), RESOLVER);
    let slots: Vec<_> = rules.slots.iter().filter(|(s, _)| s.front.address.is_none()).collect();
    let only = SocketAddrV4::new(Ipv4Addr::new(10, 244, 0, 1), 8080);
    assert_eq!(slots, [(&Slot { front: front(None, 30001), index: 0 }, &only)]);
    assert_eq!(rules.hairpin.len(), 1);
}

#[test]
fn local_endpoints_have_their_own_places() {
    let mut outer = service(vec![endpoint(1, false), endpoint(2, true)]);
    outer.external_local = true;
    let rules = render_service(&outer, RESOLVER);
    let local = Slot { front: front(None, 30001), index: LOCAL_BASE };
    assert_eq!(rules.slots.get(&local), Some(&SocketAddrV4::new(Ipv4Addr::new(10, 244, 0, 2), 8080)));
}

#[test]
fn the_resolvers_address_and_ipv6_are_not_balanced() {
    let mut dns = service(vec![endpoint(1, true)]);
    dns.cluster_ips = vec![RESOLVER.into(), "fd00::1".parse().unwrap()];
    dns.external_ips.clear();
    dns.ports[0].node_port = None;
    assert_eq!(render_service(&dns, RESOLVER), crate::rules::model::Ruleset::default());
}

#[test]
fn endpoints_that_end_serve_where_nobody_is_ready() {
    let ending = |last, local, serving| Endpoint { ready: false, serving, terminating: true, ..endpoint(last, local) };
    let starting = |last| Endpoint { ready: false, serving: false, ..endpoint(last, true) };
    let (cluster, node) = (front(Some("10.96.1.1"), 80), front(None, 30001));
    let leads = |endpoints: Vec<Endpoint>, front: Front, base: u32| -> Vec<u8> {
        let entry = ServiceEntry { external_local: true, ..service(endpoints) };
        let rules = render_service(&entry, RESOLVER);
        let slots = rules.slots.range(Slot { front, index: base }..Slot { front, index: base + 9 });
        slots.map(|(_, to)| to.ip().octets()[3]).collect()
    };
    for (endpoints, all, local) in [
        (vec![endpoint(1, true), ending(2, true, true)], vec![1], vec![1]),
        (vec![ending(1, true, true), ending(2, false, true), ending(3, true, false)], vec![1, 2], vec![1]),
        (vec![ending(1, true, true), endpoint(2, false)], vec![2], vec![1]),
        (vec![ending(1, true, false), starting(2)], vec![], vec![]),
    ] {
        assert_eq!(leads(endpoints.clone(), cluster, 0), all, "{endpoints:?}");
        assert_eq!(leads(endpoints.clone(), node, LOCAL_BASE), local, "{endpoints:?}");
    }
}
