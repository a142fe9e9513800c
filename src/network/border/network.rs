//! The trait that the agent plans against.

use crate::border::{HostPort, NetworkError, NodeNetwork, PeerNode, PodInterface, ServiceEntry};
use std::net::IpAddr;

/// One machine's network. Every call takes the whole desired value of its part and changes only what differs; after a
/// restart of the process the first call of each adopts what is in the kernel.
#[async_trait::async_trait]
pub trait Network: Send + Sync + 'static {
    /// Forwarding, base chains, masquerade, the resolver's address. Before everything else; again when it changed.
    async fn configure(&self, node: &NodeNetwork) -> Result<(), NetworkError>;

    /// Routes to the other nodes' pods.
    async fn set_peers(&self, peers: &[PeerNode]) -> Result<(), NetworkError>;

    /// Gives the pod its interface and address, and returns the address. Idempotent by uid.
    async fn attach(&self, pod: &PodInterface) -> Result<IpAddr, NetworkError>;

    /// Takes the interface and the address back. Unknown pods are fine.
    async fn detach(&self, uid: &str) -> Result<(), NetworkError>;

    /// The uids whose interfaces exist, for cleaning what an earlier run left.
    async fn attached(&self) -> Result<Vec<(String, IpAddr)>, NetworkError>;

    /// Service addresses, node ports and DNS records. `changed` names (namespace, name) pairs of `services` that may
    /// differ from the last call; `None`: anything may.
    async fn set_services(
        &self,
        services: &[std::sync::Arc<ServiceEntry>],
        changed: Option<&[(String, String)]>,
    ) -> Result<(), NetworkError>;

    /// Ports of this machine that lead to its pods. Before the first [`Network::set_services`], so that those which an
    /// earlier process left are not lost for a moment.
    async fn set_host_ports(&self, ports: &[HostPort]) -> Result<(), NetworkError>;

    /// Looks at what the kernel has of all that, and puts back what somebody else took away. What is whole stays untouched.
    async fn verify(&self) -> Result<(), NetworkError>;

    /// Takes everything of ours off this machine's network.
    async fn teardown(&self) -> Result<(), NetworkError>;
}
