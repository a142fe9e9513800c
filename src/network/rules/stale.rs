//! Which tracked flows no longer fit the rules. UDP only: its flows never end by themselves while a client goes on sending.

use crate::border::Protocol;
use crate::nft::Flow;
use crate::rules::encode::protocol_number;
use crate::rules::model::{Front, Ruleset};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The fronts that changed, each with the endpoints it may lead to now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stale {
    allowed: BTreeMap<Front, BTreeSet<SocketAddrV4>>,
    node: Option<Ipv4Addr>,
}

impl Stale {
    /// The UDP fronts that differ between two rule sets; none if there are none.
    pub fn between(old: &Ruleset, new: &Ruleset, node: Ipv4Addr) -> Option<Self> {
        let before = endpoints(old);
        let after = endpoints(new);
        let fronts: BTreeSet<&Front> = before.keys().chain(after.keys()).collect();
        let mut allowed = BTreeMap::new();
        for front in fronts {
            if before.get(front) != after.get(front) {
                allowed.insert(*front, after.get(front).cloned().unwrap_or_default());
            }
        }
        (!allowed.is_empty()).then_some(Self { allowed, node: Some(node) })
    }

    /// Takes in what is stale since; the later word on a front counts.
    pub fn extend(&mut self, later: Self) {
        self.allowed.extend(later.allowed);
        self.node = later.node;
    }

    /// True if the flow leads where it may not.
    pub fn hits(&self, flow: &Flow) -> bool {
        if flow.protocol != protocol_number(Protocol::Udp) {
            return false;
        }
        let front = |address| Front { address, protocol: Protocol::Udp, port: flow.destination.port() };
        let wrong = |front: Front| self.allowed.get(&front).is_some_and(|ok| !ok.contains(&flow.replier));
        let translated = flow.destination != flow.replier;
        let ours = translated || Some(*flow.destination.ip()) == self.node;
        wrong(front(Some(*flow.destination.ip()))) || (ours && wrong(front(None)))
    }
}

fn endpoints(rules: &Ruleset) -> BTreeMap<Front, BTreeSet<SocketAddrV4>> {
    let mut found: BTreeMap<Front, BTreeSet<SocketAddrV4>> = BTreeMap::new();
    for (front, _) in rules.targets.keys().filter(|(front, _)| front.protocol == Protocol::Udp) {
        found.entry(*front).or_default();
    }
    for (slot, to) in rules.slots.iter().filter(|(slot, _)| slot.front.protocol == Protocol::Udp) {
        found.entry(slot.front).or_default().insert(*to);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::rules::model::{Balancer, Side, Slot, Target};

    fn rules(front: Front, endpoints: &[&str]) -> Ruleset {
        let mut rules = Ruleset::default();
        let balancer =
            Balancer { node_port: front.address.is_none(), mark: false, affinity: None, local: false, count: 1 };
        rules.targets.insert((front, Side::Inside), Target::Balance(balancer));
        for (to, index) in endpoints.iter().zip(0..) {
            rules.slots.insert(Slot { front, index }, to.parse().unwrap());
        }
        rules
    }

    fn flow(protocol: u8, destination: &str, replier: &str) -> Flow {
        Flow { protocol, destination: destination.parse().unwrap(), replier: replier.parse().unwrap() }
    }

    #[test]
    fn only_flows_that_may_no_longer_be_are_hit() {
        let node = Ipv4Addr::new(10, 89, 0, 21);
        let vip = Front { address: Some("10.96.1.1".parse().unwrap()), protocol: Protocol::Udp, port: 53 };
        let port = Front { address: None, protocol: Protocol::Udp, port: 30053 };
        let (a, b) = ("10.244.1.2:8053", "10.244.1.3:8053");
        let mut old = rules(vip, &[a, b]);
        old.merge(&rules(port, &[a, b]));
        let mut new = rules(vip, &[b]);
        new.merge(&rules(port, &[b]));
        let stale = Stale::between(&old, &new, node).unwrap();
        for (protocol, destination, replier, hit) in [
            (17, "10.96.1.1:53", a, true),
            (17, "10.96.1.1:53", b, false),
            (6, "10.96.1.1:53", a, false),
            (17, "10.96.1.1:54", a, false),
            (17, "10.89.0.21:30053", a, true),
            (17, "10.89.0.21:30053", b, false),
            // Sent before the node port existed, and not translated.
            (17, "10.89.0.21:30053", "10.89.0.21:30053", true),
            // Somebody else's port of the same number.
            (17, "198.51.100.1:30053", "198.51.100.1:30053", false),
        ] {
            assert_eq!(stale.hits(&flow(protocol, destination, replier)), hit, "{destination} {replier}");
        }
        assert_eq!(Stale::between(&new, &new, node), None);
        // What was refused is taken up with what comes after.
        let mut kept = Stale::default();
        assert!(!kept.hits(&flow(17, "10.96.1.1:53", a)));
        kept.extend(stale);
        kept.extend(Stale::between(&rules(port, &[b]), &rules(port, &[a]), node).unwrap());
        assert!(kept.hits(&flow(17, "10.96.1.1:53", a)) && !kept.hits(&flow(17, "10.89.0.21:30053", a)));
    }
}
