//! The simulated way to one member.

use crate::peers::{Append, AppendAnswer, Asked, BoxedStream, Caller, Door, Identity, Peer, PeerError, Refusal};
use crate::raft::types::TypeConfig;
use crate::rt::{self, Abort, Instant, spawn_in, truth};
use crate::sim::network::{Listener, SimNetwork};
use bytes::Bytes;
use futures::StreamExt;
use openraft::raft::{
    AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use raftsman_proto::v1::{Proposed, ReadIndexResponse, SnapshotChunk, SnapshotFile};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// A connection on which nothing arrives is given up after so long.
const SILENCE: Duration = Duration::from_secs(2);

/// A snapshot may take so long.
const SNAPSHOT: Duration = Duration::from_secs(30);

/// Messages of a stream that may be under way.
const PIPE: usize = 256;

#[derive(Clone)]
pub(crate) struct SimPeer {
    pub(crate) network: Arc<SimNetwork>,
    pub(crate) me: u64,
    pub(crate) to: u64,
    pub(crate) caller: Caller,
    /// Of the caller's data, as it is when it asks.
    pub(crate) lineage: Arc<AtomicU64>,
}

/// How a request is admitted at the other end.
#[derive(Clone, Copy)]
enum As {
    /// One of Raft's, of one lineage.
    Raft,
    /// Who does not know the lineage yet.
    Stranger,
    /// What only the leader answers.
    Client,
}

/// Takes a request to the door that one over gRPC meets.
struct Knock {
    caller: Caller,
    lineage: u64,
    as_: As,
}

impl Knock {
    fn admitted(&self, door: &Door) -> Result<(), Refusal> {
        match self.as_ {
            As::Raft => door.enter(&self.caller, Some(self.lineage)),
            As::Stranger => door.admit(&self.caller, Asked::ByRaft),
            As::Client => door.admit(&self.caller, Asked::OfLeader),
        }
    }
}

fn refused(refusal: Refusal) -> PeerError {
    match refusal {
        Refusal::Removed(why) => PeerError::Removed(why),
        Refusal::Damaged(what) => PeerError::Damaged(what),
        other => PeerError::Unreachable(other.to_string()),
    }
}

impl SimPeer {
    fn knock(&self, as_: As) -> Knock {
        Knock { caller: self.caller.clone(), lineage: self.lineage.load(Ordering::Acquire), as_ }
    }

    async fn exchange<Q, A, F, R>(
        &self,
        what: &str,
        as_: As,
        patience: Duration,
        request: Q,
        serve: F,
    ) -> Result<A, PeerError>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
        F: Fn(Arc<Door>, Q) -> R + Clone + Send + 'static,
        R: Future<Output = Result<A, Refusal>> + Send + 'static,
    {
        let knock = self.knock(as_);
        let exchanged = async {
            self.carry(self.me, self.to, what).await?;
            let Listener { door, life } = self.network.listener(self.to)?;
            let twice = self.network.twice();
            let own = life.clone();
            let served = async move {
                // Both copies at once: a caller that is refused has had nothing carried out.
                knock.admitted(&door)?;
                if twice {
                    spawn_in(&own, serve(door.clone(), request.clone()));
                }
                serve(door, request).await
            };
            let answer = spawn_in(&life, served).await.map_err(|_| self.broken())?;
            self.carry(self.to, self.me, what).await?;
            answer.map_err(refused)
        };
        match truth::timeout(patience, exchanged).await {
            Ok(answer) => answer,
            Err(_) => Err(PeerError::Unreachable(format!("member {}: no answer", self.to))),
        }
    }

    /// Carries one message. A lost one is a silent connection, however long the caller would wait for the answer.
    async fn carry(&self, from: u64, to: u64, what: &str) -> Result<(), PeerError> {
        truth::timeout(SILENCE, self.network.carry(from, to, what)).await.map_err(|_| self.broken())
    }

    fn broken(&self) -> PeerError {
        PeerError::Unreachable(format!("member {}: the connection broke", self.to))
    }

    /// Sends a stream. The task ends with the stream, when the connection breaks, or when the handle is dropped.
    fn send<T: Send + 'static>(
        &self,
        what: &'static str,
        mut items: BoxedStream<T>,
    ) -> (mpsc::Receiver<(Instant, T)>, Sending) {
        let (pipe, arriving) = mpsc::channel(PIPE);
        let (network, from, to) = (self.network.clone(), self.me, self.to);
        let mut last = truth::now();
        let task = rt::spawn(async move {
            while let Some(item) = items.next().await {
                let Some(at) = network.arrival(from, to, what) else { break };
                last = last.max(at);
                if pipe.send((last, item)).await.is_err() {
                    break;
                }
            }
        });
        (arriving, Sending(task.abort_handle()))
    }

    /// What arrives of a stream at the other end.
    fn receive<T: Send + 'static>(&self, arriving: mpsc::Receiver<(Instant, T)>) -> BoxedStream<T> {
        let (network, from, to) = (self.network.clone(), self.me, self.to);
        Box::pin(futures::stream::unfold(arriving, move |mut arriving| {
            let network = network.clone();
            async move {
                let (at, item) = arriving.recv().await?;
                network.arrived(from, to, at).await.then_some((item, arriving))
            }
        }))
    }
}

/// Ends a sending task when dropped.
struct Sending(Option<Abort>);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

enum Answer {
    One(Instant, Result<AppendAnswer, Refusal>),
    End,
}

#[async_trait::async_trait]
impl Peer for SimPeer {
    async fn append(
        &self,
        requests: BoxedStream<Append>,
    ) -> Result<BoxedStream<Result<AppendAnswer, PeerError>>, PeerError> {
        let knock = self.knock(As::Raft);
        self.carry(self.me, self.to, "connect").await?;
        let Listener { door, life } = self.network.listener(self.to)?;
        let (arriving, sending) = self.send("append", requests);
        let input = self.receive(arriving);
        let (pipe, answers) = mpsc::channel(PIPE);
        let (network, from, to) = (self.network.clone(), self.to, self.me);
        spawn_in(&life, async move {
            let mut last = truth::now();
            let mut answered = match knock.admitted(&door).and_then(|()| door.append(input)) {
                Ok(answered) => answered,
                Err(refusal) => {
                    let _ = pipe.send(Answer::One(last, Err(refusal))).await;
                    return;
                }
            };
            while let Some(answer) = answered.next().await {
                let Some(at) = network.arrival(from, to, "answer") else { return };
                last = last.max(at);
                if pipe.send(Answer::One(last, answer)).await.is_err() {
                    return;
                }
            }
            let _ = pipe.send(Answer::End).await;
        });
        let this = self.clone();
        Ok(Box::pin(futures::stream::unfold(Some((answers, sending)), move |open| {
            let this = this.clone();
            async move {
                let (mut answers, sending) = open?;
                let (at, answer) = match answers.recv().await {
                    Some(Answer::One(at, answer)) => (at, answer),
                    Some(Answer::End) => return None,
                    None => return Some((Err(this.broken()), None)),
                };
                if !this.network.arrived(this.to, this.me, at).await {
                    return Some((Err(this.broken()), None));
                }
                let answer = answer.map_err(refused);
                let open = answer.is_ok().then_some((answers, sending));
                Some((answer, open))
            }
        })))
    }

    async fn append_once(
        &self,
        request: Append,
        patience: Duration,
    ) -> Result<AppendEntriesResponse<TypeConfig>, PeerError> {
        self.exchange("append once", As::Raft, patience, request, |door, request| async move {
            door.append_once(request).await
        })
        .await
    }

    async fn vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError> {
        self.exchange("vote", As::Raft, patience, request, |door, request| async move { door.vote(request).await })
            .await
    }

    async fn pre_vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError> {
        self.exchange(
            "pre-vote",
            As::Raft,
            patience,
            request,
            |door, request| async move { door.pre_vote(request).await },
        )
        .await
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<TransferLeaderResponse<TypeConfig>, PeerError> {
        self.exchange("transfer", As::Raft, patience, request, |door, request| async move {
            door.transfer_leader(request).await
        })
        .await
    }

    async fn snapshot_held(
        &self,
        files: Vec<SnapshotFile>,
        patience: Duration,
    ) -> Result<Vec<SnapshotFile>, PeerError> {
        self.exchange("snapshot held", As::Raft, patience, files, |door, files| async move {
            door.snapshot_held(files).await
        })
        .await
    }

    async fn install_snapshot(
        &self,
        chunks: BoxedStream<SnapshotChunk>,
    ) -> Result<SnapshotResponse<TypeConfig>, PeerError> {
        let installed = async {
            self.carry(self.me, self.to, "snapshot").await?;
            let Listener { door, life } = self.network.listener(self.to)?;
            let (arriving, _sending) = self.send("chunk", chunks);
            let input = self.receive(arriving);
            let knock = self.knock(As::Raft);
            let task = spawn_in(&life, async move {
                knock.admitted(&door)?;
                door.install_snapshot(input).await
            });
            let answer = task.await.map_err(|_| self.broken())?;
            self.carry(self.to, self.me, "snapshot").await?;
            answer.map_err(refused)
        };
        truth::timeout(SNAPSHOT, installed).await.map_err(|_| self.broken())?
    }

    async fn identity(&self, member: u64, patience: Duration) -> Result<Identity, PeerError> {
        self.exchange("identity", As::Stranger, patience, member, |door, _| async move { door.identity() }).await
    }

    async fn propose(&self, txns: Vec<Bytes>, patience: Duration) -> Result<Vec<Proposed>, PeerError> {
        self.exchange("propose", As::Client, patience, txns, |door, txns| async move { door.propose(txns).await }).await
    }

    async fn drain(&self, recorded: u64, patience: Duration) -> Result<(), PeerError> {
        self.exchange("drain", As::Raft, patience, recorded, |door, recorded| async move { door.drain(recorded).await })
            .await
    }

    async fn read_index(&self, patience: Duration) -> Result<ReadIndexResponse, PeerError> {
        self.exchange("read index", As::Client, patience, (), |door, ()| async move { door.read_index().await }).await
    }
}
