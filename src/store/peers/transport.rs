//! The way to the other members.

use crate::raft::types::{Member, Membership, TypeConfig, Vote};
use bytes::Bytes;
use futures::Stream;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use raftsman_proto::v1::{Proposed, ReadIndexResponse, SnapshotChunk, SnapshotFile};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type BoxedStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Entries, or none for a heartbeat.
pub(crate) type Append = AppendEntriesRequest<TypeConfig>;

/// What a follower says to one [`Append`] of a stream.
pub(crate) type AppendAnswer = StreamAppendResult<TypeConfig>;

/// Why there is no answer. Nothing is known of what the other did.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PeerError {
    /// It cannot be reached or does not serve; asking again at once is of no use.
    #[error("{0}")]
    Unreachable(String),
    /// This member was removed from the cluster.
    #[error("{0}")]
    Removed(String),
    /// It found what it was sent damaged, though it came as it was sent.
    #[error("{0}")]
    Damaged(String),
    /// The exchange went wrong.
    #[error("{0}")]
    Broken(String),
}

/// What a member knows of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Index of its newest log entry; 0 is the membership that a cluster begins with.
    pub(crate) last_log: Option<u64>,
    pub(crate) vote: Option<Vote>,
    /// The newest membership in its log; `None` while it has none.
    pub(crate) members: Option<Arc<Membership>>,
    /// See [`crate::lineage`].
    pub(crate) lineage: u64,
}

/// All other members.
pub(crate) trait Transport: Send + Sync {
    /// The way to one member, at its present address.
    ///
    /// # Errors
    /// Its name or address cannot be used.
    fn peer(&self, id: u64, member: &Member) -> Result<Arc<dyn Peer>, PeerError>;

    /// The lineage that requests are of from now on; members of another refuse them.
    fn set_lineage(&self, _lineage: u64) {}
}

/// The way to one member. Every request may be lost, late, or carried out without an answer; `patience` bounds the wait.
#[async_trait::async_trait]
pub(crate) trait Peer: Send + Sync {
    /// Log replication, pipelined: answers come in the order of requests.
    async fn append(
        &self,
        requests: BoxedStream<Append>,
    ) -> Result<BoxedStream<Result<AppendAnswer, PeerError>>, PeerError>;

    /// One append without a stream: heartbeats and probes.
    async fn append_once(
        &self,
        request: Append,
        patience: Duration,
    ) -> Result<AppendEntriesResponse<TypeConfig>, PeerError>;

    async fn vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError>;

    /// Would the vote be granted? Changes nothing.
    async fn pre_vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError>;

    /// The leader hands over.
    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<TransferLeaderResponse<TypeConfig>, PeerError>;

    /// What it has of a snapshot's files, from an attempt that broke off.
    async fn snapshot_held(
        &self,
        _files: Vec<SnapshotFile>,
        _patience: Duration,
    ) -> Result<Vec<SnapshotFile>, PeerError> {
        Ok(Vec::new())
    }

    /// A snapshot in chunks; see [`super::send::snapshot`].
    async fn install_snapshot(
        &self,
        chunks: BoxedStream<SnapshotChunk>,
    ) -> Result<SnapshotResponse<TypeConfig>, PeerError>;

    /// What it knows of the cluster, for `member`, which has nothing on its disk.
    async fn identity(&self, member: u64, patience: Duration) -> Result<Identity, PeerError>;

    /// Encoded transactions for the leader, and what became of each, in their order.
    async fn propose(&self, txns: Vec<Bytes>, patience: Duration) -> Result<Vec<Proposed>, PeerError>;

    /// It is to be removed, as a record at this log index says: it takes no more writes from clients, and answers when it
    /// knows what became of each that it has taken.
    async fn drain(&self, recorded: u64, patience: Duration) -> Result<(), PeerError>;

    /// A log index that, once applied, makes a read linearizable; answered by the leader.
    async fn read_index(&self, patience: Duration) -> Result<ReadIndexResponse, PeerError>;
}
