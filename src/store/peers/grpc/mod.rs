//! Peers over gRPC with mutual TLS.

mod accept;
mod clients;
mod connector;
mod identity;
mod peer;
mod port;
mod service;

pub(crate) use clients::PeerClients;
pub use identity::require_organisation;
pub use port::PeerPort;
use port::WINDOWS;
pub use service::PeersService;

use tonic::metadata::{Ascii, MetadataValue};

/// Metadata key that carries the cluster's id in every request.
const CLUSTER: &str = "raftsman-cluster";

/// Metadata key that carries the caller's member id.
const MEMBER: &str = "raftsman-member";

/// Metadata key that carries the lineage of the caller's data in every request; see [`crate::lineage`].
const LINEAGE: &str = "raftsman-lineage";

/// Metadata key of a refusal: the caller was removed from the cluster.
const REMOVED: &str = "raftsman-removed";

/// Metadata key of a refusal: what was sent is damaged.
const DAMAGED: &str = "raftsman-damaged";

/// What connections for Raft ask for beside HTTP/2 when TLS begins: they are served on the Raft thread.
const PEER: &[u8] = b"raftsman-peer";

/// The organisation of masters' certificates.
pub const MASTERS: &str = "raftsman:masters";

/// The largest message taken from a peer: a batch of entries.
const MESSAGE_LIMIT: usize = 64 << 20;

/// A cluster's id as metadata.
pub(crate) fn cluster(id: &str) -> Result<MetadataValue<Ascii>, String> {
    id.parse().map_err(|_| format!("cluster id {id:?}: use ASCII letters, digits, - and ."))
}
