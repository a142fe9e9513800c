#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crate::border::{Affinity, Endpoint, Protocol, ServiceEntry, ServicePort};
use crate::rules::board::{Board, ServiceKey};
use crate::rules::diff::{Change, diff};
use crate::rules::model::{Balancer, Ruleset, Slot, Target};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The kernel's maps: refuses what the kernel would refuse.
#[derive(Debug, Clone, Default, PartialEq)]
struct Kernel {
    rules: Ruleset,
    chains: BTreeSet<Balancer>,
}

impl Kernel {
    fn apply(&mut self, change: &Change) {
        let rules = &mut self.rules;
        match *change {
            Change::Chain(balancer) => {
                assert!(
                    balancer.unmarked().is_none_or(|b| self.chains.contains(&b)),
                    "goes to a chain that is not there"
                );
                assert!(self.chains.insert(balancer), "chain exists");
            }
            Change::AddSlot(slot, to) => {
                assert_eq!(rules.slots.insert(slot, to), None, "slot exists")
            }
            Change::DeleteSlot(slot) => {
                assert!(rules.slots.remove(&slot).is_some(), "no such slot")
            }
            Change::AddChoice(slot, to) => {
                assert_eq!(rules.choices.insert(slot, to), None, "choice exists")
            }
            Change::DeleteChoice(slot) => {
                assert!(rules.choices.remove(&slot).is_some(), "no such choice")
            }
            Change::AddTarget(front, side, target) => {
                if let Target::Balance(balancer) = target {
                    assert!(self.chains.contains(&balancer), "no such chain");
                }
                assert_eq!(rules.targets.insert((front, side), target), None, "target exists");
            }
            Change::DeleteTarget(front, side, target) => {
                assert_eq!(rules.targets.remove(&(front, side)), Some(target), "no such target");
            }
            Change::AddPin(front, to) => assert!(rules.pins.insert((front, to)), "pin exists"),
            Change::DeletePin(front, to) => assert!(rules.pins.remove(&(front, to)), "no such pin"),
            Change::AddHairpin(ip) => assert!(rules.hairpin.insert(ip), "hairpin exists"),
            Change::DeleteHairpin(ip) => assert!(rules.hairpin.remove(&ip), "no such hairpin"),
        }
    }

    /// A packet that took its target here finds its endpoint in `later`, whatever index it chooses.
    fn leads_into(&self, later: &Self) {
        for ((front, _), target) in &self.rules.targets {
            let Target::Balance(balancer) = target else {
                continue;
            };
            for index in balancer.base()..balancer.base() + balancer.count {
                let slot = Slot { front: *front, index };
                let to = later.rules.slots.get(&slot);
                assert!(to.is_some(), "{} chose {index} of {front:?}, which is gone", balancer.chain());
            }
        }
    }

    /// Clients with affinity are led to endpoints that may be remembered.
    fn remembers(&self) {
        for ((front, _), target) in &self.rules.targets {
            let Target::Balance(balancer) = target else {
                continue;
            };
            for index in (balancer.base()..balancer.base() + balancer.count).filter(|_| balancer.affinity.is_some()) {
                let choice = self.rules.choices.get(&Slot { front: *front, index });
                assert!(choice.is_some_and(|c| self.rules.pins.contains(&(*front, *c))), "{front:?} {index}");
            }
        }
    }
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let one = (1u8..8, any::<bool>(), prop::bool::weighted(0.9)).prop_map(|(last, local, ready)| Endpoint {
        serving: true,
        terminating: !ready && last % 2 == 0,
        ip: Ipv4Addr::new(10, 244, 0, last).into(),
        port: 8080,
        local,
        hostname: None,
        ready,
    });
    prop::collection::vec(one, 0..6)
}

fn entry(name: u8) -> impl Strategy<Value = ServiceEntry> {
    let policy = (any::<bool>(), any::<bool>(), prop::option::of(1u32..3));
    // External addresses and node ports collide between services on purpose.
    (endpoints(), policy, prop::option::of(0u16..3), prop::option::of(1u8..3), 0usize..2).prop_map(
        move |(endpoints, (internal_local, external_local, affinity), node_port, external, udp)| ServiceEntry {
            namespace: "default".to_owned(),
            name: format!("s{name}"),
            cluster_ips: vec![Ipv4Addr::new(10, 96, 0, 100 + name).into()],
            external_ips: external.map(|last| Ipv4Addr::new(10, 99, 0, last).into()).into_iter().collect(),
            external_name: None,
            affinity: affinity.map_or(Affinity::None, Affinity::ClientIp),
            internal_local,
            external_local,
            publish_not_ready: false,
            ports: vec![ServicePort {
                name: String::new(),
                protocol: [Protocol::Tcp, Protocol::Udp][udp],
                port: 80,
                node_port: node_port.map(|p| 30000 + p),
                endpoints,
            }],
        },
    )
}

fn services() -> impl Strategy<Value = Vec<Arc<ServiceEntry>>> {
    prop::collection::vec(prop::option::of(0u8..1), 5).prop_flat_map(|there| {
        let present: Vec<_> = there.iter().zip(0u8..).filter(|(t, _)| t.is_some()).map(|(_, i)| entry(i)).collect();
        present.prop_map(|all| all.into_iter().map(Arc::new).collect())
    })
}

fn differing(old: &[Arc<ServiceEntry>], new: &[Arc<ServiceEntry>]) -> Vec<ServiceKey> {
    let only = |a: &[Arc<ServiceEntry>], b: &[Arc<ServiceEntry>]| -> Vec<ServiceKey> {
        a.iter().filter(|s| !b.contains(s)).map(|s| (s.namespace.clone(), s.name.clone())).collect()
    };
    [only(old, new), only(new, old)].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_packet_is_lost_between_rule_sets(states in prop::collection::vec((services(), any::<bool>()), 1..8)) {
        let mut board = Board::new(Ipv4Addr::new(10, 96, 0, 10));
        let mut kernel = Kernel::default();
        let mut before: Vec<Arc<ServiceEntry>> = Vec::new();
        for (services, named) in states {
            let changed = differing(&before, &services);
            let step = board.update(&services, named.then_some(changed.as_slice()));
            let transactions = diff(&step.old, &step.new, &kernel.chains);
            prop_assert!(transactions.len() <= 2);
            for transaction in transactions {
                let mut next = kernel.clone();
                transaction.iter().for_each(|change| next.apply(change));
                next.leads_into(&next);
                kernel.leads_into(&next);
                next.remembers();
                kernel = next;
            }
            prop_assert_eq!(&kernel.rules, &board.all());
            // Whoever owns a contested front, the others' fronts are all there.
            let fronts: BTreeSet<_> = services.iter()
                .flat_map(|s| crate::rules::render::render_service(s, Ipv4Addr::new(10, 96, 0, 10)).fronts())
                .collect();
            prop_assert_eq!(kernel.rules.fronts(), fronts);
            before = services;
        }
    }
}

#[test]
fn nothing_changes_without_a_difference() {
    let rules = Ruleset::default();
    assert!(diff(&rules, &rules, &BTreeSet::new()).is_empty());
}
