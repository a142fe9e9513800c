//! Why the agent could not start or had to end.

/// An error at the room's door.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration or the machine is not fit for a node; says what to do.
    #[error("{0}")]
    Preflight(String),
    /// A file that the agent needs cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The node's own service cannot listen.
    #[error("cannot serve on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The container runtime refused.
    #[error("container runtime: {0}")]
    Runtime(#[from] raftsman_runtime::border::RuntimeError),
    /// The network refused.
    #[error("network: {0}")]
    Network(#[from] raftsman_network::border::NetworkError),
}

impl AgentError {
    pub(crate) fn file(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.display().to_string(), reason: reason.to_string() }
    }
}
