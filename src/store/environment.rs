//! What a member stands on.

use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::disk::{Engines, Rocks};
use crate::files::{RealTree, Tree};
use crate::member::RaftThread;
use crate::peers::Transport;
use crate::peers::grpc::PeerClients;
use crate::raft::config::Timing;
use crate::rt::Runner;
use std::sync::Arc;

/// The machine and the network, as one member sees them.
pub(crate) struct Environment {
    pub(crate) runner: Runner,
    pub(crate) transport: Arc<dyn Transport>,
    /// The data directory.
    pub(crate) tree: Arc<dyn Tree>,
    pub(crate) engines: Arc<dyn Engines>,
    /// Of one file of the log.
    pub(crate) segment_bytes: u64,
}

impl Environment {
    /// This machine, and gRPC to the other members.
    pub(crate) fn real(config: &StoreConfig) -> Result<Self, StoreError> {
        let storage = |error: std::io::Error| StoreError::Storage(error.to_string());
        let tree = RealTree::open(&config.data_dir).map_err(storage)?;
        let thread = RaftThread::start(config.urgent).map_err(storage)?;
        let timing = Timing::of(config.profile);
        let clients =
            PeerClients::new(&config.cluster_id, config.member, config.tls.clone(), timing, thread.handle().clone())
                .map_err(StoreError::Storage)?;
        Ok(Self {
            runner: Runner::Threads(thread),
            transport: Arc::new(clients),
            tree: Arc::new(tree),
            engines: Arc::new(Rocks::new(&config.data_dir)),
            segment_bytes: 16 << 20,
        })
    }
}
