//! Ranges and names of the cluster's network.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The same on all hosts of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Pods of the whole cluster; each node gets a piece of [`NetworkConfig::node_prefix`].
    pub pod_cidr: IpNet,
    /// Prefix length of a node's piece.
    pub node_prefix: u8,
    /// Services.
    pub service_cidr: IpNet,
    /// The resolver's address; the tenth of the services' range when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_ip: Option<IpAddr>,
    /// The cluster's domain.
    pub domain: String,
    /// First and last port that NodePort services may take.
    pub node_ports: (u16, u16),
    /// Where names outside the cluster are asked; the host's own resolvers when empty.
    pub upstream_dns: Vec<SocketAddr>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let net = |a, b, len| IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), len));
        Self {
            pod_cidr: net(10, 244, 16),
            node_prefix: 24,
            service_cidr: net(10, 96, 16),
            dns_ip: None,
            domain: "cluster.local".to_owned(),
            node_ports: (30000, 32767),
            upstream_dns: Vec::new(),
        }
    }
}

impl NetworkConfig {
    /// The n-th address of the services' range.
    pub fn service_address(&self, n: u32) -> Option<IpAddr> {
        self.service_cidr.hosts().nth(n.checked_sub(1)? as usize)
    }

    /// The address of the Service `kubernetes`: the first one.
    pub fn kubernetes_ip(&self) -> Option<IpAddr> {
        self.service_address(1)
    }

    /// The resolver's address.
    pub fn resolver(&self) -> Option<IpAddr> {
        self.dns_ip.or_else(|| self.service_address(10))
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.node_prefix <= self.pod_cidr.prefix_len() || self.node_prefix > self.pod_cidr.max_prefix_len() - 2 {
            problems.push(format!(
                "network.nodePrefix: {} gives no pieces of {} with room for pods",
                self.node_prefix, self.pod_cidr
            ));
        }
        if self.resolver().is_none_or(|ip| !self.service_cidr.contains(&ip)) {
            problems.push(format!("network.dnsIp: must lie within serviceCidr {}", self.service_cidr));
        }
        if self.pod_cidr.contains(&self.service_cidr) || self.service_cidr.contains(&self.pod_cidr) {
            problems.push(format!("network: podCidr {} and serviceCidr {} overlap", self.pod_cidr, self.service_cidr));
        }
        if self.node_ports.0 == 0 || self.node_ports.0 > self.node_ports.1 {
            problems.push("network.nodePorts: the first must not lie above the last".to_owned());
        }
        problems
    }
}
