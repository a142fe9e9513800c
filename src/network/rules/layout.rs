//! The table's constant part: sets and base chains.

use crate::nft::{Base, DataType, Expr, Hook, MetaKey, Op, Set, SetKind, Verdict, reg};
use crate::rules::balance::balancer;
use crate::rules::model::Balancer;
use crate::rules::parts::{
    INVALID, MARK, RTN_LOCAL, Rule, destination_in, destination_is, established, fib, is, jump, load_front, load_port,
    loopback, mark, network, source_in, state,
};
use crate::rules::place::Place;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Fronts with an address → chain.
pub const SERVICES: &str = "svc";
/// The same, as clients outside the cluster see it.
pub const SERVICES_OUTSIDE: &str = "svc-outside";
/// Node ports → chain.
pub const NODE_PORTS: &str = "np";
/// The same, as clients outside the cluster see it.
pub const NODE_PORTS_OUTSIDE: &str = "np-outside";

/// The maps behind the fronts. Node ports have their own, whose keys lack the address.
#[derive(Debug, PartialEq, Eq)]
pub struct Maps {
    /// Front and index → endpoint.
    pub endpoints: &'static str,
    /// Client and front → endpoint's id.
    pub affinity: &'static str,
    /// Front and index → endpoint's id.
    pub choices: &'static str,
    /// Front and endpoint's id → endpoint: what an affinity may lead to.
    pub pins: &'static str,
}

/// Those of services' addresses.
pub const BY_ADDRESS: Maps = Maps { endpoints: "eps", affinity: "aff", choices: "choices", pins: "pins" };
/// Those of node ports.
pub const BY_PORT: Maps = Maps { endpoints: "np-eps", affinity: "np-aff", choices: "np-choices", pins: "np-pins" };

/// Fronts with an address that have no endpoints.
pub const REFUSED: &str = "noeps";
/// Node ports that have no endpoints.
pub const NODE_PORTS_REFUSED: &str = "np-noeps";
/// Local endpoints, twice in the key.
pub const HAIRPIN: &str = "hairpin";

/// Remembered clients of all services with affinity.
const AFFINITY_SIZE: u32 = 1 << 20;

/// Everything of the table that does not depend on services.
pub fn base(place: &Place) -> Vec<Op> {
    let mut ops = vec![Op::AddTable];
    ops.extend(sets().into_iter().map(Op::AddSet));
    ops.extend(["reject", "services"].map(|name| Op::AddChain { name: name.to_owned(), base: None }));
    let nat = |hook, priority| Some(Base { kind: "nat", hook, priority });
    let filter = |hook| Some(Base { kind: "filter", hook, priority: 0 });
    let chains = [
        ("nat-prerouting", nat(Hook::Prerouting, -100)),
        ("nat-output", nat(Hook::Output, -100)),
        ("nat-postrouting", nat(Hook::Postrouting, 100)),
        ("filter-input", filter(Hook::Input)),
        ("filter-forward", filter(Hook::Forward)),
        ("filter-output", filter(Hook::Output)),
    ];
    ops.extend(chains.map(|(name, base)| Op::AddChain { name: name.to_owned(), base }));
    for (chain, rules) in [
        ("reject", reject()),
        ("services", services(place)),
        ("nat-prerouting", prerouting(place)),
        ("nat-output", vec![vec![jump("services")]]),
        ("nat-postrouting", postrouting(place)),
        ("filter-input", input()),
        ("filter-forward", forward(place)),
        ("filter-output", output(place)),
    ] {
        ops.extend(rules.into_iter().map(|exprs| Op::AddRule { chain: chain.to_owned(), exprs }));
    }
    ops
}

/// Every kind of set and every expression in one transaction that leaves nothing, to learn whether the kernel knows them.
pub fn probe() -> Vec<Op> {
    let ip = Ipv4Addr::new(192, 0, 2, 1);
    let net = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);
    let place = Place { node: ip, pods: net, cluster: net, services: net, resolver: ip };
    let mut ops = base(&place);
    // No base chains: nothing is hooked in, not even for a moment.
    for op in &mut ops {
        if let Op::AddChain { base, .. } = op {
            *base = None;
        }
    }
    for mark in [false, true] {
        let balancer_of = Balancer { node_port: false, mark, affinity: Some(1), local: false, count: 1 };
        ops.extend(balancer(&balancer_of, &place));
    }
    ops.push(Op::DeleteTable);
    ops
}

fn sets() -> Vec<Set> {
    use DataType::{InetProto, InetService, Ipv4Addr, Mark};
    let front = || vec![Ipv4Addr, InetProto, InetService];
    let port = || vec![InetProto, InetService];
    let set = |name, key, kind| Set { name, key, kind };
    let mut sets = vec![
        set(SERVICES, front(), SetKind::VerdictMap),
        set(SERVICES_OUTSIDE, front(), SetKind::VerdictMap),
        set(NODE_PORTS, port(), SetKind::VerdictMap),
        set(NODE_PORTS_OUTSIDE, port(), SetKind::VerdictMap),
        set(REFUSED, front(), SetKind::Set),
        set(NODE_PORTS_REFUSED, port(), SetKind::Set),
        set(HAIRPIN, vec![Ipv4Addr, Ipv4Addr], SetKind::Set),
    ];
    for (maps, front) in [(BY_ADDRESS, front()), (BY_PORT, port())] {
        let indexed = [front.clone(), vec![Mark]].concat();
        let endpoint = || SetKind::Map(vec![Ipv4Addr, InetService]);
        sets.push(set(maps.endpoints, indexed.clone(), endpoint()));
        sets.push(set(maps.choices, indexed.clone(), SetKind::Map(vec![Mark])));
        sets.push(set(maps.pins, indexed, endpoint()));
        let remembered = SetKind::Dynamic { data: vec![Mark], size: AFFINITY_SIZE };
        sets.push(set(maps.affinity, [vec![Ipv4Addr], front].concat(), remembered));
    }
    sets
}

fn services(place: &Place) -> Vec<Rule> {
    let from_outside = || [source_in(place.cluster, false), vec![fib(true), is(0, false, RTN_LOCAL)]].concat();
    let vmap = |map: &str| Expr::MapVerdict { map: map.to_owned(), sreg: reg(0) };
    vec![
        [destination_is(place.resolver, true), vec![Expr::Verdict(Verdict::Return)]].concat(),
        [from_outside(), load_front(), vec![vmap(SERVICES_OUTSIDE)]].concat(),
        [load_front(), vec![vmap(SERVICES)]].concat(),
        // Like kube-proxy on nftables: node ports are not served on loopback.
        [destination_in(loopback(), true), vec![Expr::Verdict(Verdict::Return)]].concat(),
        vec![fib(false), is(0, false, RTN_LOCAL), Expr::Verdict(Verdict::Return)],
        [from_outside(), load_port(0), vec![vmap(NODE_PORTS_OUTSIDE)]].concat(),
        [load_port(0), vec![vmap(NODE_PORTS)]].concat(),
    ]
}

fn prerouting(place: &Place) -> Vec<Rule> {
    vec![
        // Clients outside that reach a ClusterIP through this node get their answers through it too.
        [source_in(place.cluster, false), destination_in(place.services, true), mark()].concat(),
        vec![jump("services")],
    ]
}

fn postrouting(place: &Place) -> Vec<Rule> {
    let marked = || {
        let mask = MARK.to_ne_bytes().to_vec();
        vec![
            Expr::Meta { dreg: reg(0), key: MetaKey::Mark },
            Expr::Bitwise { sreg: reg(0), dreg: reg(0), mask, xor: vec![0; 4] },
            is(0, true, MARK),
        ]
    };
    // Interfaces of pods have no address of the host, so masquerade would pick just any.
    let snat =
        || vec![Expr::Immediate { dreg: reg(0), data: place.node.octets().to_vec() }, Expr::Snat { addr: reg(0) }];
    let pair = vec![network(0, 12, 4), network(1, 16, 4), Expr::InSet { set: HAIRPIN.to_owned(), sreg: reg(0) }];
    vec![
        [marked(), destination_in(place.cluster, true), snat()].concat(),
        [marked(), vec![Expr::Masquerade]].concat(),
        [pair, snat()].concat(),
        [source_in(place.cluster, true), destination_in(place.cluster, false), vec![Expr::Masquerade]].concat(),
    ]
}

fn input() -> Vec<Rule> {
    vec![established(), refuse_front(), refuse_node_port()]
}

fn forward(place: &Place) -> Vec<Rule> {
    vec![
        established(),
        // Such a packet would leave untranslated and be answered by a reset.
        [source_in(place.cluster, true), state(INVALID), vec![Expr::Counter, Expr::Verdict(Verdict::Drop)]].concat(),
        refuse_front(),
        [destination_in(place.services, true), vec![Expr::Verdict(Verdict::Goto("reject".to_owned()))]].concat(),
    ]
}

fn output(place: &Place) -> Vec<Rule> {
    vec![
        established(),
        refuse_front(),
        refuse_node_port(),
        [
            destination_in(place.services, true),
            destination_is(place.resolver, false),
            vec![Expr::Verdict(Verdict::Goto("reject".to_owned()))],
        ]
        .concat(),
    ]
}

fn reject() -> Vec<Rule> {
    let tcp = Expr::Cmp { sreg: reg(0), equal: true, data: vec![6] };
    vec![vec![Expr::Meta { dreg: reg(0), key: MetaKey::L4Proto }, tcp, Expr::RejectTcp], vec![Expr::RejectIcmp]]
}

fn refuse_front() -> Rule {
    let known = Expr::InSet { set: REFUSED.to_owned(), sreg: reg(0) };
    [load_front(), vec![known, Expr::Verdict(Verdict::Goto("reject".to_owned()))]].concat()
}

fn refuse_node_port() -> Rule {
    let known = Expr::InSet { set: NODE_PORTS_REFUSED.to_owned(), sreg: reg(0) };
    let local = vec![fib(false), is(0, true, RTN_LOCAL)];
    [local, load_port(0), vec![known, Expr::Verdict(Verdict::Goto("reject".to_owned()))]].concat()
}
