//! What the write path and the server must know of the cluster.

use ipnet::IpNet;
use std::net::IpAddr;

/// The same on all masters of a cluster.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// The range of Services' addresses; its first is the Service `kubernetes`.
    pub service_cidr: IpNet,
    /// Addresses within it that are never given at random (the resolver's).
    pub reserved_ips: Vec<IpAddr>,
    /// First and last port of NodePort Services.
    pub node_ports: (u16, u16),
    /// `tolerationSeconds` of the tolerations that admission gives to pods which have none of their own.
    pub default_toleration_seconds: i64,
    /// The port of the API, which the Service `kubernetes` leads to.
    pub api_port: u16,
    /// The port of the nodes' own gRPC service.
    pub node_port: u16,
    /// Requests served at once, watches and streams not counted; more get 429.
    pub in_flight: usize,
    /// Connections held at once, watches and streams included; more are closed before their handshake.
    pub connections: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self::from_network(&raftsman_api::config::NetworkConfig::default(), &raftsman_api::config::Ports::default(), 0)
    }
}

impl ApiConfig {
    /// What the cluster's configuration says.
    pub fn from_network(
        network: &raftsman_api::config::NetworkConfig,
        ports: &raftsman_api::config::Ports,
        default_toleration_seconds: i64,
    ) -> Self {
        Self {
            service_cidr: network.service_cidr,
            reserved_ips: network.resolver().into_iter().chain(network.kubernetes_ip()).collect(),
            node_ports: network.node_ports,
            default_toleration_seconds,
            api_port: ports.api,
            node_port: ports.node,
            in_flight: 400,
            connections: 10_000,
        }
    }

    /// The address of the Service `kubernetes`.
    pub fn kubernetes_ip(&self) -> Option<IpAddr> {
        self.service_cidr.hosts().next()
    }
}
