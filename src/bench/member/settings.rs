//! What a member process is told.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A member's settings: a JSON file that only this user reads, for it holds a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// This member's id.
    pub(crate) member: u64,
    /// All of them.
    pub(crate) peers: Vec<Peer>,
    /// Where it keeps its data.
    pub(crate) data: PathBuf,
    /// Where it serves clients.
    pub(crate) clients: SocketAddr,
    /// PEM text of the authority.
    pub(crate) ca: String,
    /// PEM text of this member's certificate.
    pub(crate) certificate: String,
    /// PEM text of its key.
    pub(crate) key: String,
}

/// A member of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Member id.
    pub(crate) id: u64,
    /// Name in its certificate.
    pub(crate) name: String,
    /// Its peer port.
    pub(crate) address: SocketAddr,
}
