//! What one machine's network should be, as plain values.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The node's own place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNetwork {
    /// The node's address that other nodes route to.
    pub node_ip: IpAddr,
    /// The pods' range of this node (`spec.podCIDR`).
    pub pod_cidr: ipnet::IpNet,
    /// The pods' range of the whole cluster: what leaves it is masqueraded.
    pub cluster_cidr: ipnet::IpNet,
    /// The services' range.
    pub service_cidr: ipnet::IpNet,
    /// The address that the resolver answers on (10.96.0.10).
    pub dns_ip: IpAddr,
    /// The cluster's domain, `cluster.local`.
    pub cluster_domain: String,
    /// Where names outside the cluster are asked; empty: they get SERVFAIL.
    pub upstream_dns: Vec<std::net::SocketAddr>,
}

/// Another node: its pods are reached through it (host-gw).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerNode {
    /// The node's name.
    pub name: String,
    /// The next hop.
    pub ip: IpAddr,
    /// What is behind it.
    pub pod_cidr: ipnet::IpNet,
}

/// A pod's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodInterface {
    /// The pod's uid; the host's end of the veth is named after it.
    pub uid: String,
    /// The pod's network namespace, a path for setns(2).
    pub netns: PathBuf,
    /// An address the pod had before (the agent was restarted); asked for again if free.
    pub previous: Option<IpAddr>,
}

/// Transport protocol of a service port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// One place a service port leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The pod's or host's address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// It runs on this node (for local traffic policies and hairpin).
    pub local: bool,
    /// The pod's `hostname` for DNS records of headless services.
    pub hostname: Option<String>,
    /// `ready`: not-ready ones are listed for DNS with `publishNotReadyAddresses` only.
    pub ready: bool,
    /// `serving`: as ready, but for its pod being deleted.
    pub serving: bool,
    /// `terminating`: its pod is being deleted. If it serves, it is used where nobody is ready.
    pub terminating: bool,
}

/// A port of this machine that leads to one of its pods (`hostPort`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The pod's uid.
    pub uid: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Port of the machine.
    pub port: u16,
    /// The machine's address that it is at (`hostIP`); none: all but loopback.
    pub address: Option<IpAddr>,
    /// The pod's address and port.
    pub to: SocketAddr,
}

/// Session affinity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Every connection chooses anew.
    #[default]
    None,
    /// `ClientIP`, for so many seconds.
    ClientIp(u32),
}

/// One port of a service, with its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The port's name, empty if it has none.
    pub name: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Port on the service's addresses.
    pub port: u16,
    /// Port on every node's addresses.
    pub node_port: Option<u16>,
    /// Where it leads, in a stable order.
    pub endpoints: Vec<Endpoint>,
}

/// One service as this node serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// ClusterIPs; empty for headless and ExternalName services.
    pub cluster_ips: Vec<IpAddr>,
    /// `externalIPs` and load balancer addresses.
    pub external_ips: Vec<IpAddr>,
    /// `externalName`: a CNAME.
    pub external_name: Option<String>,
    /// Session affinity.
    pub affinity: Affinity,
    /// `internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`.
    pub external_local: bool,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Ports.
    pub ports: Vec<ServicePort>,
}
