//! From a service to its part of the rule set.

use crate::border::{Affinity, Endpoint, ServiceEntry};
use crate::rules::model::{Balancer, Front, LOCAL_BASE, Ruleset, Side, Slot, Target};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// How a front's traffic is spread.
struct Plan {
    front: Front,
    mark: bool,
    affinity: Option<u32>,
    /// Nobody leaves the node (`internalTrafficPolicy: Local`).
    only_local: bool,
    /// Clients from outside do not leave the node (`externalTrafficPolicy: Local`).
    outside_local: bool,
}

/// The rules of one service. `resolver` is the DNS address, which a local socket serves, not the rules.
pub fn render_service(service: &ServiceEntry, resolver: Ipv4Addr) -> Ruleset {
    let mut rules = Ruleset::default();
    let affinity = match service.affinity {
        Affinity::None => None,
        Affinity::ClientIp(seconds) => Some(seconds.clamp(1, 86_400)),
    };
    let internal = addresses(&service.cluster_ips).filter(|ip| *ip != resolver);
    let cluster: Vec<Ipv4Addr> = internal.collect();
    let external: Vec<Ipv4Addr> = addresses(&service.external_ips).filter(|ip| *ip != resolver).collect();
    for port in service.ports.iter().filter(|p| p.port != 0) {
        let ready = Ready::of(&port.endpoints);
        let front = |address, port_number| Front { address, protocol: port.protocol, port: port_number };
        let outward =
            |front| Plan { front, mark: true, affinity, only_local: false, outside_local: service.external_local };
        for ip in &cluster {
            let only_local = service.internal_local;
            let plan =
                Plan { front: front(Some(*ip), port.port), mark: false, affinity, only_local, outside_local: false };
            add(&mut rules, &plan, &ready);
        }
        for ip in &external {
            add(&mut rules, &outward(front(Some(*ip), port.port)), &ready);
        }
        if let Some(node_port) = port.node_port.filter(|p| *p != 0) {
            add(&mut rules, &outward(front(None, node_port)), &ready);
        }
    }
    rules
}

fn addresses(ips: &[IpAddr]) -> impl Iterator<Item = Ipv4Addr> {
    ips.iter().filter_map(|ip| match ip {
        IpAddr::V4(ip) if !ip.is_unspecified() => Some(*ip),
        _ => None,
    })
}

/// A port's usable endpoints: all of them, and the node's own. Where none is ready, those that end but serve are better than
/// none (KEP-1672).
#[derive(Default)]
struct Ready {
    all: Vec<SocketAddrV4>,
    local: Vec<SocketAddrV4>,
}

impl Ready {
    fn of(endpoints: &[Endpoint]) -> Self {
        Self { all: usable(endpoints, |_| true), local: usable(endpoints, |e| e.local) }
    }
}

fn usable(endpoints: &[Endpoint], counts: impl Fn(&Endpoint) -> bool) -> Vec<SocketAddrV4> {
    let choose = |fit: fn(&Endpoint) -> bool| {
        let mut found = Vec::new();
        for endpoint in endpoints.iter().filter(|e| e.port != 0 && counts(e) && fit(e)) {
            let IpAddr::V4(ip) = endpoint.ip else { continue };
            let address = SocketAddrV4::new(ip, endpoint.port);
            if !found.contains(&address) {
                found.push(address);
            }
        }
        found
    };
    let ready = choose(|e| e.ready);
    if ready.is_empty() { choose(|e| e.serving && e.terminating) } else { ready }
}

fn add(rules: &mut Ruleset, plan: &Plan, ready: &Ready) {
    let key = (plan.front, Side::Inside);
    // Two ports of one service on the same front: the first has it.
    if rules.targets.contains_key(&key) {
        return;
    }
    let inside = if plan.only_local { &ready.local } else { &ready.all };
    rules.targets.insert(key, target(plan, inside, false, ready));
    if plan.outside_local {
        rules.targets.insert((plan.front, Side::Outside), target(plan, &ready.local, true, ready));
        fill(rules, plan, &ready.local, LOCAL_BASE);
    }
    fill(rules, plan, inside, 0);
    rules.hairpin.extend(ready.local.iter().map(|address| *address.ip()));
}

fn target(plan: &Plan, endpoints: &[SocketAddrV4], local: bool, ready: &Ready) -> Target {
    if endpoints.is_empty() {
        return if ready.all.is_empty() { Target::Reject } else { Target::Drop };
    }
    Target::Balance(Balancer {
        node_port: plan.front.address.is_none(),
        mark: plan.mark && !local,
        affinity: plan.affinity,
        local,
        count: endpoints.len() as u32,
    })
}

fn fill(rules: &mut Ruleset, plan: &Plan, endpoints: &[SocketAddrV4], base: u32) {
    for (index, address) in (base..).zip(endpoints) {
        rules.slots.insert(Slot { front: plan.front, index }, *address);
        if plan.affinity.is_some() {
            rules.choices.insert(Slot { front: plan.front, index }, *address);
            rules.pins.insert((plan.front, *address));
        }
    }
}
