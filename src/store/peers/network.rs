//! What Raft sends.

use crate::disk::SnapshotDir;
use crate::member::Core;
use crate::metrics::Metrics;
use crate::peers::{AppendAnswer, BoxedStream, Peer, PeerError, Transport, send};
use crate::raft::types::{Member, Snapshot, TypeConfig, Vote};
use crate::rt;
use futures::{Stream, StreamExt};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::vote::RaftLeaderId;
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;

type RpcError = RPCError<TypeConfig>;
type Boxed<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;
type Answers<'s> = Pin<Box<dyn Stream<Item = Result<StreamAppendResult<TypeConfig>, RpcError>> + Send + 's>>;

/// A stream with unanswered appends and no answer for so long is given up.
const STALL: Duration = Duration::from_secs(5);

/// Requests of a stream that may be unanswered at once. While they are, entries gather, and the next request takes them all:
/// each costs both sides more than the entries in it.
const WINDOW: usize = 2;

/// How long a receiver may take to sum what it has of a snapshot.
const SUMMING: Duration = Duration::from_secs(60);

/// Makes [`Network`]s.
#[derive(Clone)]
pub(crate) struct Factory {
    transport: Arc<dyn Transport>,
    core: Weak<Core>,
    snapshot_rate: u64,
}

impl Factory {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self { transport: core.transport.clone(), core: Arc::downgrade(core), snapshot_rate: core.config.snapshot_rate }
    }

    fn network(&self, target: u64, node: &Member, heartbeats: bool) -> Network {
        Network { factory: self.clone(), target, node: node.clone(), heartbeats }
    }
}

impl RaftNetworkFactory<TypeConfig> for Factory {
    type Network = Network;

    async fn new_client(&mut self, target: u64, node: &Member) -> Network {
        self.network(target, node, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Member) -> Network {
        self.network(target, node, true)
    }
}

/// The way to one peer.
pub(crate) struct Network {
    factory: Factory,
    target: u64,
    /// As it was when Raft began to talk with it.
    node: Member,
    heartbeats: bool,
}

impl Network {
    /// At its present address: Raft goes on with what it has when a member moves.
    fn peer(&self) -> Result<Arc<dyn Peer>, RpcError> {
        let core = self.factory.core.upgrade();
        let present = core.and_then(|core| core.seen.borrow().members.get_node(&self.target).cloned());
        let node = present.as_ref().unwrap_or(&self.node);
        self.factory.transport.peer(self.target, node).map_err(rpc)
    }

    /// An error as Raft takes it. That this member was removed is the end of it.
    fn failed(&self, error: PeerError) -> RpcError {
        if let Some(core) = self.factory.core.upgrade() {
            core.notice(&error);
        }
        rpc(error)
    }
}

fn rpc(error: PeerError) -> RpcError {
    match error {
        PeerError::Unreachable(what) | PeerError::Removed(what) => {
            RPCError::Unreachable(Unreachable::from_string(what))
        }
        PeerError::Broken(what) | PeerError::Damaged(what) => RPCError::Network(NetworkError::from_string(what)),
    }
}

fn local(error: &io::Error) -> RpcError {
    RPCError::Network(NetworkError::new(error))
}

impl RaftNetworkV2<TypeConfig> for Network {
    type SnapshotData = SnapshotDir;

    async fn append_entries(
        &mut self,
        rpc_: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        self.peer()?.append_once(rpc_, option.hard_ttl()).await.map_err(|error| self.failed(error))
    }

    fn stream_append<'s, S>(&'s mut self, input: S, option: RPCOption) -> Boxed<'s, Result<Answers<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.heartbeats {
            return stream_append_sequential(self, input, option);
        }
        Box::pin(async move {
            let mut input = input;
            // Raft pauses after errors only where it gives a request: connecting before that would spin against a member that
            // is down.
            let Some(first) = input.next().await else {
                return Ok(futures::stream::empty().boxed());
            };
            let core = self.factory.core.upgrade();
            let asked = Arc::new(Asked::new(core.map(|core| core.metrics.clone()).unwrap_or_default()));
            let requests = futures::stream::unfold((Some(first), input, asked.clone()), |(first, mut input, asked)| {
                async move {
                    // Before the next request is made, so that it carries the newest entries and commit.
                    asked.window.acquire().await.ok()?.forget();
                    let request = match first {
                        Some(first) => Some(first),
                        None => input.next().await,
                    };
                    asked.count(request.is_some());
                    Some((request?, (None, input, asked)))
                }
            });
            let responses = self.peer()?.append(Box::pin(requests)).await.map_err(|error| self.failed(error))?;
            Ok(answers(responses, asked))
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.peer()?.vote(request, option.hard_ttl()).await.map_err(|error| self.failed(error))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.peer()?.pre_vote(request, option.hard_ttl()).await.map_err(|error| self.failed(error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let peer = self.peer()?;
        let sent = send_snapshot(&*peer, &vote, &snapshot, &self.factory);
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            sent = sent => Ok(sent?),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        // Whoever gets this may be elected at once.
        if let Some(core) = self.factory.core.upgrade() {
            core.lease.void(request.from_leader().leader_id.term());
        }
        self.peer()?.transfer_leader(request, option.hard_ttl()).await.map_err(rpc)
    }
}

async fn send_snapshot(
    peer: &dyn Peer,
    vote: &Vote,
    snapshot: &Snapshot,
    factory: &Factory,
) -> Result<SnapshotResponse<TypeConfig>, RpcError> {
    let here = snapshot.snapshot.clone();
    let offered = rt::blocking(move || send::offer(&here)).await;
    let offered = offered.and_then(|offered| offered).map_err(|error| local(&error))?;
    let held = peer.snapshot_held(offered.clone(), SUMMING).await.map_err(rpc)?;
    let here = snapshot.snapshot.clone();
    let files = rt::blocking(move || send::resume(&here, &offered, &held)).await;
    let files = files.and_then(|files| files).map_err(|error| local(&error))?;
    let (chunks, broken) =
        send::snapshot(vote, snapshot, files, factory.snapshot_rate).map_err(|error| local(&error))?;
    let response = peer.install_snapshot(chunks).await;
    if let (Err(PeerError::Damaged(_)), Some(core)) = (&response, factory.core.upgrade()) {
        // By itself: this transfer ends with the leadership.
        rt::spawn(suspect(core, snapshot.snapshot.clone()));
    }
    match broken.lock().take() {
        None => response.map_err(rpc),
        Some(error) => Err(local(&error)),
    }
}

/// Another member found this one's snapshot damaged. If it is, sending it again is of no use, and the state on disk, which
/// shares files with it, is not to be trusted: this member ends, and before that somebody with a whole one leads.
async fn suspect(core: Arc<Core>, snapshot: SnapshotDir) {
    match core.door.check_own(&snapshot).await {
        Ok(()) => tracing::info!("this member's snapshot is whole: it was damaged at the other end"),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            if let Some(raft) = core.raft.get() {
                core.hand_over_to_nearest(raft).await;
            }
            core.alarm.raise("this member's own snapshot is damaged", &error);
        }
        Err(error) => tracing::warn!(%error, "this member's snapshot cannot be checked"),
    }
}

/// What was asked in an append stream.
struct Asked {
    /// For how many more requests there is room.
    window: Semaphore,
    requests: AtomicU64,
    /// There will be no more.
    all: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Asked {
    fn new(metrics: Arc<Metrics>) -> Self {
        Self { window: Semaphore::new(WINDOW), requests: AtomicU64::new(0), all: AtomicBool::new(false), metrics }
    }

    /// One more was asked, or there will be no more.
    fn count(&self, more: bool) {
        if more {
            self.requests.fetch_add(1, Ordering::Relaxed);
            self.metrics.append_requests.fetch_add(1, Ordering::Relaxed);
        } else {
            self.all.store(true, Ordering::Relaxed);
        }
    }
}

/// The answers of an append stream. Ends with an error when nothing moves although answers are due, and when the other ends
/// it first: Raft then pauses before it tries again, and does not spin against a member that has stopped.
fn answers<'s>(responses: BoxedStream<Result<AppendAnswer, PeerError>>, asked: Arc<Asked>) -> Answers<'s> {
    Box::pin(futures::stream::unfold(Some((responses, 0u64)), move |state| {
        let asked = asked.clone();
        async move {
            let (mut responses, answered) = state?;
            loop {
                let before = asked.requests.load(Ordering::Relaxed);
                let item = match rt::timeout(STALL, responses.next()).await {
                    Ok(Some(item)) => item.map_err(rpc),
                    Ok(None) if asked.all.load(Ordering::Relaxed) => return None,
                    Ok(None) => Err(RPCError::Unreachable(Unreachable::from_string("it ended the stream"))),
                    Err(_) if before <= answered => continue,
                    Err(_) => Err(RPCError::Unreachable(Unreachable::from_string("no answer to appended entries"))),
                };
                asked.window.add_permits(1);
                let next = item.is_ok().then_some((responses, answered + 1));
                return Some((item, next));
            }
        }
    }))
}
