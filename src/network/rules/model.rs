//! The rule set as values: what the kernel's maps should hold.

use crate::border::Protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Where clients send: an address and port of a service, or a port of every local address (a node port).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Front {
    /// A service's address; none for node ports.
    pub address: Option<Ipv4Addr>,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Port.
    pub port: u16,
}

/// Who asks. Only `externalTrafficPolicy: Local` makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Everyone, or, if there is an outside target too, pods and this host.
    Inside,
    /// Clients from outside the cluster.
    Outside,
}

/// A chain that chooses among so many endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balancer {
    /// For node ports: the endpoints' key has no address.
    pub node_port: bool,
    /// Marks connections from outside the cluster for masquerade.
    pub mark: bool,
    /// Client affinity, seconds.
    pub affinity: Option<u32>,
    /// Chooses among the node's own endpoints.
    pub local: bool,
    /// Number of endpoints, at least 1.
    pub count: u32,
}

/// What happens to a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// It is given an endpoint.
    Balance(Balancer),
    /// It is dropped: a traffic policy keeps it here, where no endpoint is.
    Drop,
    /// It is refused: the service has no endpoints.
    Reject,
}

/// A place in the endpoints' map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The front.
    pub front: Front,
    /// 0 and up for all endpoints, [`LOCAL_BASE`] and up for the node's own.
    pub index: u32,
}

/// Where the node's own endpoints begin in the index.
pub const LOCAL_BASE: u32 = 1 << 20;

impl Balancer {
    /// The first index it chooses from.
    pub fn base(&self) -> u32 {
        if self.local { LOCAL_BASE } else { 0 }
    }

    /// The chain for clients inside the cluster, where marking is not a rule of the same chain.
    pub fn unmarked(&self) -> Option<Self> {
        (self.mark && self.affinity.is_some()).then_some(Self { mark: false, ..*self })
    }

    /// Its chain's name.
    pub fn chain(&self) -> String {
        let mut name = String::from(if self.node_port { "np" } else { "lb" });
        if self.mark {
            name.push_str("-ext");
        }
        if self.local {
            name.push_str("-local");
        }
        if let Some(seconds) = self.affinity {
            name.push_str(&format!("-aff{seconds}"));
        }
        format!("{name}-{}", self.count)
    }
}

/// What the maps and sets hold for some or all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Fronts and what happens there.
    pub targets: BTreeMap<(Front, Side), Target>,
    /// Endpoints by index.
    pub slots: BTreeMap<Slot, SocketAddrV4>,
    /// The endpoints again, where clients have affinity.
    pub choices: BTreeMap<Slot, SocketAddrV4>,
    /// Endpoints that an affinity may lead to.
    pub pins: BTreeSet<(Front, SocketAddrV4)>,
    /// The node's own endpoints: a connection to itself is masqueraded.
    pub hairpin: BTreeSet<Ipv4Addr>,
}

impl Ruleset {
    /// The chains that the targets go to, each after those that it goes to itself.
    pub fn balancers(&self) -> BTreeSet<Balancer> {
        let direct = self.targets.values().filter_map(|target| match target {
            Target::Balance(balancer) => Some(*balancer),
            Target::Drop | Target::Reject => None,
        });
        direct.flat_map(|balancer| [Some(balancer), balancer.unmarked()]).flatten().collect()
    }

    /// The fronts that appear.
    pub fn fronts(&self) -> BTreeSet<Front> {
        self.targets.keys().map(|(front, _)| *front).collect()
    }

    /// Takes out what belongs to fronts that `keep` denies.
    pub fn retain_fronts(&mut self, keep: impl Fn(&Front) -> bool) {
        self.targets.retain(|(front, _), _| keep(front));
        self.slots.retain(|slot, _| keep(&slot.front));
        self.choices.retain(|slot, _| keep(&slot.front));
        self.pins.retain(|(front, _)| keep(front));
    }

    /// Adds everything of another rule set.
    pub fn merge(&mut self, other: &Self) {
        self.targets.extend(other.targets.iter().map(|(k, v)| (*k, *v)));
        self.slots.extend(other.slots.iter().map(|(k, v)| (*k, *v)));
        self.choices.extend(other.choices.iter().map(|(k, v)| (*k, *v)));
        self.pins.extend(other.pins.iter().copied());
        self.hairpin.extend(other.hairpin.iter().copied());
    }
}
