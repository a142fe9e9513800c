//! Filters: whether a node can run a pod at all. To add one is to add a file and a line in [`all`].

mod host_ports;
pub(crate) mod node_affinity;
mod node_name;
mod resources;
pub(crate) mod taints;
mod unschedulable;
mod volume_binding;

use crate::{Demand, NodeInfo};

/// What may make room for a pod that a filter refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HelpedBy(u8);

impl HelpedBy {
    /// A node appeared or changed.
    pub const NODE: Self = Self(1);
    /// A pod left its node.
    pub const POD_GONE: Self = Self(2);

    /// A claim, a volume or a storage class appeared or changed.
    pub const VOLUME: Self = Self(4);

    /// Everything there is.
    pub fn all() -> Self {
        Self::NODE.or(Self::POD_GONE).or(Self::VOLUME)
    }

    /// Either.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// They have something in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// One rule.
pub trait Filter: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Why the node cannot run the pod; empty if it can.
    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String>;

    /// What may change its mind.
    fn helped_by(&self) -> HelpedBy {
        HelpedBy::NODE
    }
}

/// All filters; a node is judged by the first that refuses.
pub fn all() -> Vec<Box<dyn Filter>> {
    vec![
        Box::new(unschedulable::Unschedulable),
        Box::new(node_name::NodeName),
        Box::new(taints::Taints),
        Box::new(node_affinity::NodeAffinity),
        Box::new(host_ports::HostPorts),
        Box::new(volume_binding::VolumeBinding),
        Box::new(resources::Resources),
    ]
}

#[cfg(test)]
mod tests;
