//! The node's place in the network, as the rules need it: IPv4.

use crate::border::{NetworkError, NodeNetwork};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// Addresses that the constant rules compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The node's address.
    pub node: Ipv4Addr,
    /// The node's pods.
    pub pods: Ipv4Net,
    /// All pods.
    pub cluster: Ipv4Net,
    /// All services.
    pub services: Ipv4Net,
    /// The resolver.
    pub resolver: Ipv4Addr,
}

impl Place {
    /// Checks that everything is IPv4 and fits together.
    pub fn of(node: &NodeNetwork) -> Result<Self, NetworkError> {
        let place = Self {
            node: address("node address", node.node_ip)?,
            pods: range("pod CIDR", node.pod_cidr)?,
            cluster: range("cluster CIDR", node.cluster_cidr)?,
            services: range("service CIDR", node.service_cidr)?,
            resolver: address("DNS address", node.dns_ip)?,
        };
        if !place.cluster.contains(&place.pods) {
            let (pods, cluster) = (place.pods, place.cluster);
            return Err(NetworkError::Invalid(format!(
                "the node's pod CIDR {pods} is not inside the cluster CIDR {cluster}"
            )));
        }
        if place.pods.prefix_len() > 29 {
            return Err(NetworkError::Invalid(format!(
                "the node's pod CIDR {} is too small: give it /29 or more",
                place.pods
            )));
        }
        Ok(place)
    }
}

/// An IPv4 address, or the reason why not.
pub fn address(what: &str, ip: IpAddr) -> Result<Ipv4Addr, NetworkError> {
    match ip {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(ip) => Err(NetworkError::Invalid(format!("{what} {ip}: only IPv4 is supported so far"))),
    }
}

/// An IPv4 range, or the reason why not.
pub fn range(what: &str, net: IpNet) -> Result<Ipv4Net, NetworkError> {
    match net {
        IpNet::V4(net) => Ok(net.trunc()),
        IpNet::V6(net) => Err(NetworkError::Invalid(format!("{what} {net}: only IPv4 is supported so far"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn node() -> NodeNetwork {
        NodeNetwork {
            node_ip: "10.89.0.21".parse().unwrap(),
            pod_cidr: "10.244.1.0/24".parse().unwrap(),
            cluster_cidr: "10.244.0.0/16".parse().unwrap(),
            service_cidr: "10.96.0.0/16".parse().unwrap(),
            dns_ip: "10.96.0.10".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
            upstream_dns: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(Place::of(&node()).is_ok());
        for (change, word) in [
            ((|n| n.node_ip = "fd00::1".parse().unwrap()) as fn(&mut NodeNetwork), "fd00::1"),
            (|n| n.pod_cidr = "10.5.0.0/24".parse().unwrap(), "10.5.0.0/24"),
            (|n| n.pod_cidr = "10.244.1.0/30".parse().unwrap(), "/29"),
            (|n| n.service_cidr = "fd00::/108".parse().unwrap(), "service CIDR"),
        ] {
            let mut node = node();
            change(&mut node);
            let error = Place::of(&node).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
