//! Ports of the host.

use super::{Filter, HelpedBy};
use crate::{Demand, NodeInfo};

/// Refuses nodes where another pod holds one of the ports.
pub struct HostPorts;

/// `0.0.0.0` stands for every address.
const ANY: &str = "0.0.0.0";

impl Filter for HostPorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        let taken = pod.ports.iter().any(|(ip, protocol, number)| {
            node.ports.iter().any(|(held, other, port)| {
                number == port && protocol == other && (ip == held || ip == ANY || held == ANY)
            })
        });
        if taken { vec!["node(s) didn't have free ports for the requested pod ports".to_owned()] } else { Vec::new() }
    }

    fn helped_by(&self) -> HelpedBy {
        HelpedBy::all()
    }
}
