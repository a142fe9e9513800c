//! Where peers' requests meet this member.

use crate::codec::encode_bytes;
use crate::disk::{Directory, SnapshotDir};
use crate::log::LogStorage;
use crate::member::{Admission, Lease, OwnWrites};
use crate::metrics::{Metrics, Queue};
use crate::peers::receive::Incoming;
use crate::peers::{Append, AppendAnswer, BoxedStream, Identity};
use crate::raft::Published;
use crate::raft::types::{Command, Raft, TypeConfig};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::ReadPolicy;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::raft::{
    AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use parking_lot::RwLock;
use raftsman_proto::v1::{Proposed, ReadIndexResponse, SnapshotChunk, SnapshotFile};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;

/// Why a request is not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// The request is not as it should be.
    #[error("{0}")]
    Invalid(String),
    /// Not from this caller.
    #[error("{0}")]
    Denied(String),
    /// The caller's data is of another lineage ([`crate::lineage`]).
    #[error("{0}")]
    Foreign(String),
    /// The caller was removed from the cluster, for ever.
    #[error("{0}")]
    Removed(String),
    /// What it sent arrived as it sent it, and is damaged.
    #[error("{0}")]
    Damaged(String),
    /// This member could not carry it out.
    #[error("{0}")]
    Failed(String),
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(error.to_string())
}

/// See the module. Exists before Raft runs and after it ended. Every transport admits whom it may admit, then asks here.
pub(crate) struct Door {
    incoming: Incoming,
    log: RwLock<Option<LogStorage>>,
    raft: RwLock<Option<Raft>>,
    /// Off while this member may have given a lease that it forgot, or has not caught up after the loss of its disk.
    votes: AtomicBool,
    /// This member's disk does not answer.
    stalled: watch::Sender<bool>,
    /// See [`crate::lineage`].
    lineage: AtomicU64,
    forwarded: Admission,
    /// Given to this member by clients.
    writes: Arc<OwnWrites>,
    published: Arc<Published>,
    lease: Arc<Lease>,
    metrics: Arc<Metrics>,
}

impl Door {
    pub(crate) fn new(
        directory: Arc<Directory>,
        log: LogStorage,
        forwarded: Admission,
        published: Arc<Published>,
        lease: Arc<Lease>,
        metrics: Arc<Metrics>,
        lineage: u64,
    ) -> Self {
        Self {
            incoming: Incoming::new(directory),
            log: RwLock::new(Some(log)),
            raft: RwLock::default(),
            votes: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
            lineage: AtomicU64::new(lineage),
            forwarded,
            writes: Arc::default(),
            published,
            lease,
            metrics,
        }
    }

    /// Lets requests through to Raft.
    pub(crate) fn open(&self, raft: Raft, votes: bool) {
        self.votes.store(votes, Ordering::Release);
        *self.raft.write() = Some(raft);
    }

    /// This member may vote from now on.
    pub(crate) fn allow_votes(&self) {
        self.votes.store(true, Ordering::Release);
    }

    /// Whether this member votes, if the membership says that it may.
    pub(crate) fn votes(&self) -> bool {
        self.votes.load(Ordering::Acquire)
    }

    /// Refuses everything from now on and lets go of Raft and the log.
    pub(crate) fn close(&self) {
        self.raft.write().take();
        self.log.write().take();
    }

    pub(crate) fn writes(&self) -> Arc<OwnWrites> {
        self.writes.clone()
    }

    pub(super) fn published(&self) -> &Published {
        &self.published
    }

    /// The log, until the door is closed.
    pub(crate) fn log(&self) -> Option<LogStorage> {
        self.log.read().clone()
    }

    /// What this member's data belongs to; see [`crate::lineage`].
    pub(crate) fn lineage(&self) -> u64 {
        self.lineage.load(Ordering::Acquire)
    }

    /// A member without data has found what it belongs to.
    pub(crate) fn set_lineage(&self, lineage: u64) {
        self.lineage.store(lineage, Ordering::Release);
    }

    pub(super) fn raft(&self) -> Result<Raft, Refusal> {
        let raft = self.raft.read().clone();
        raft.ok_or_else(|| Refusal::Unavailable("this member is starting or stopping".into()))
    }

    fn voting(&self) -> Result<Raft, Refusal> {
        let raft = self.raft()?;
        if self.votes() {
            Ok(raft)
        } else {
            Err(Refusal::Unavailable("this member has just started or is catching up: it does not vote yet".into()))
        }
    }

    /// Whether this member's disk answers no more.
    pub(crate) fn is_stalled(&self) -> bool {
        *self.stalled.borrow()
    }

    pub(crate) fn set_stalled(&self, stalled: bool) {
        self.stalled.send_if_modified(|before| std::mem::replace(before, stalled) != stalled);
    }

    /// [`Door::is_stalled`], to wait for.
    pub(crate) fn stalls(&self) -> watch::Receiver<bool> {
        self.stalled.subscribe()
    }

    /// This member's disk is so far behind that it should take no proposals.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_stalled() || self.log.read().as_ref().is_some_and(LogStorage::is_behind)
    }

    /// How many more of other members' proposals there is room for, and how many bytes of them.
    pub(crate) fn forwarded_room(&self) -> (usize, usize) {
        self.forwarded.room()
    }

    /// The answers to a stream of entries, in order.
    pub(crate) fn append(
        &self,
        requests: impl Stream<Item = Append> + Send + Unpin + 'static,
    ) -> Result<BoxedStream<Result<AppendAnswer, Refusal>>, Refusal> {
        let raft = self.raft()?;
        Ok(Box::pin(raft.stream_append(requests).map(|answer| answer.map_err(failed))))
    }

    pub(crate) async fn append_once(&self, request: Append) -> Result<AppendEntriesResponse<TypeConfig>, Refusal> {
        self.raft()?.append_entries(request).await.map_err(failed)
    }

    pub(crate) async fn vote(&self, request: VoteRequest<TypeConfig>) -> Result<VoteResponse<TypeConfig>, Refusal> {
        self.voting()?.vote(request).await.map_err(failed)
    }

    pub(crate) async fn pre_vote(&self, request: VoteRequest<TypeConfig>) -> Result<VoteResponse<TypeConfig>, Refusal> {
        self.voting()?.pre_vote(request).await.map_err(failed)
    }

    pub(crate) async fn transfer_leader(
        &self,
        request: TransferLeaderRequest<TypeConfig>,
    ) -> Result<TransferLeaderResponse<TypeConfig>, Refusal> {
        self.voting()?.handle_transfer_leader(request).await.map_err(failed)
    }

    /// What this member has of a snapshot's files.
    pub(crate) async fn snapshot_held(&self, files: Vec<SnapshotFile>) -> Result<Vec<SnapshotFile>, Refusal> {
        self.raft()?;
        self.incoming.held(files).await.map_err(failed)
    }

    /// Takes in a snapshot. A stream that ends before the last chunk installs nothing; the next one goes on from there.
    pub(crate) async fn install_snapshot(
        &self,
        chunks: impl Stream<Item = SnapshotChunk> + Send + Unpin,
    ) -> Result<SnapshotResponse<TypeConfig>, Refusal> {
        let raft = self.raft()?;
        let (described, snapshot) = self.incoming.take(chunks).await.map_err(invalid)?;
        // Before Raft has it, for which a snapshot that cannot be installed is the end.
        self.incoming.check(&snapshot).await.map_err(|error| {
            tracing::warn!(%error, "a damaged snapshot was received: the leader's disk or memory may be failing");
            Refusal::Damaged(format!("the snapshot came damaged: {error}"))
        })?;
        raft.install_full_snapshot(described.vote, snapshot).await.map_err(failed)
    }

    /// Reads all of a snapshot of this member's own, which another member found damaged.
    pub(crate) async fn check_own(&self, snapshot: &SnapshotDir) -> std::io::Result<()> {
        self.incoming.check_own(snapshot).await
    }

    /// This member follows and needs no snapshot: removes what a transfer left that was broken off.
    pub(crate) async fn tidy(&self) {
        if let Err(error) = self.incoming.tidy().await {
            tracing::warn!(%error, "what is left of a snapshot cannot be removed");
        }
    }

    pub(crate) fn identity(&self) -> Result<Identity, Refusal> {
        let log = self.log.read().clone().ok_or_else(|| Refusal::Unavailable("this member is stopping".into()))?;
        let (last_log, vote) = (log.last_index(), log.vote());
        // Raft has read the log: the newest membership in it.
        let members = self.raft.read().as_ref().map(|raft| raft.metrics().borrow_watched().membership_config.clone());
        if members.is_none() && last_log.is_some_and(|last| last > 0) {
            return Err(Refusal::Unavailable("this member is starting".into()));
        }
        Ok(Identity { last_log, vote, members, lineage: self.lineage() })
    }

    /// Takes another member's encoded transactions, if this one leads.
    pub(crate) async fn propose(&self, txns: Vec<Bytes>) -> Result<Vec<Proposed>, Refusal> {
        let raft = self.raft()?;
        let room = if self.is_behind() { None } else { self.forwarded.admit(txns.iter().map(Bytes::len)) };
        let Some(_room) = room else {
            self.metrics.refuse(Queue::Forwarded, txns.len());
            return Ok(vec![Proposed { overloaded: true, ..Proposed::default() }; txns.len()]);
        };
        let mut proposed = Vec::with_capacity(txns.len());
        let mut written = raft.client_write_many(txns.into_iter().map(Command)).await.map_err(failed)?;
        while let Some(one) = written.next().await {
            proposed.push(match one {
                Ok(Ok(written)) => Proposed {
                    outcome: encode_bytes(&written.response).map_err(failed)?,
                    index: written.log_id.index(),
                    ..Proposed::default()
                },
                Ok(Err(ClientWriteError::ForwardToLeader(forward))) => {
                    Proposed { leader: forward.leader_id.unwrap_or(0), ..Proposed::default() }
                }
                Ok(Err(error)) => Proposed { error: error.to_string(), ..Proposed::default() },
                Err(fatal) => Proposed { error: fatal.to_string(), ..Proposed::default() },
            });
        }
        Ok(proposed)
    }

    /// This member is to be removed, as a record at this log index says: answered once it takes no more writes from clients and
    /// knows what became of each that it has taken.
    pub(crate) async fn drain(&self, recorded: u64) -> Result<(), Refusal> {
        self.raft()?;
        self.published.applied.wait(recorded).await;
        self.writes.drain(recorded).await;
        Ok(())
    }

    pub(crate) async fn read_index(&self) -> Result<ReadIndexResponse, Refusal> {
        let raft = self.raft()?;
        if self.lease.held(&raft) {
            let index = self.published.applied.index().unwrap_or(0);
            return Ok(ReadIndexResponse { index, ..ReadIndexResponse::default() });
        }
        self.metrics.read_rounds.fetch_add(1, Ordering::Relaxed);
        Ok(match raft.get_read_log_id(ReadPolicy::ReadIndex).await {
            Ok((read, _)) => ReadIndexResponse { index: read.index(), ..ReadIndexResponse::default() },
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                ReadIndexResponse { leader: forward.leader_id.unwrap_or(0), error: "not the leader".into(), index: 0 }
            }
            Err(error) => ReadIndexResponse { error: error.to_string(), ..ReadIndexResponse::default() },
        })
    }
}
