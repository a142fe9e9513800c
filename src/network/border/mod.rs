//! The room's door: what the node agent asks for.

mod desired;
mod error;
mod network;
mod vip;

pub use desired::{
    Affinity, Endpoint, HostPort, NodeNetwork, PeerNode, PodInterface, Protocol, ServiceEntry, ServicePort,
};
pub use error::NetworkError;
pub use network::Network;
pub use vip::{SendFrame, VirtualAddress};
