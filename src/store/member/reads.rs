//! Linearizable reads: callers that wait at the same time share one question to the leader.

use crate::border::StoreError;
use crate::member::Core;
use crate::metrics::Queue;
use crate::peers::PeerError;
use crate::raft::config::Timing;
use crate::raft::types::term_of;
use crate::rt::{self, Instant};
use openraft::ReadPolicy;
use raftsman_state::View;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// How long a read waits for a leader and a quorum.
const PATIENCE: Duration = Duration::from_secs(5);

/// Readers that may wait, for an index or for it to be applied here.
const QUEUE: usize = 16_384;

type Waiting = oneshot::Sender<Result<u64, StoreError>>;

/// Where readers queue. Who waits holds a place from the question to the view, wherever it waits meanwhile.
pub(crate) struct ReadGate {
    queue: mpsc::UnboundedSender<Waiting>,
    places: Semaphore,
}

/// The other end of a [`ReadGate`].
pub(crate) struct ReadQueue(mpsc::UnboundedReceiver<Waiting>);

impl ReadGate {
    pub(crate) fn new() -> (Self, ReadQueue) {
        // Bounded by the places.
        let (gate, queue) = mpsc::unbounded_channel();
        (Self { queue: gate, places: Semaphore::new(QUEUE) }, ReadQueue(queue))
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        QUEUE - self.places.available_permits()
    }
}

impl Core {
    /// A view that holds everything acknowledged before the call.
    pub(crate) async fn read(&self) -> Result<View, StoreError> {
        self.check()?;
        let started = Instant::now();
        if let Some(raft) = self.raft.get()
            && self.lease.held(raft)
        {
            self.note_read();
            self.metrics.read.observe(started.elapsed());
            return Ok(self.published.view());
        }
        let Ok(_place) = self.reads.places.try_acquire() else {
            self.metrics.refuse(Queue::Reads, 1);
            return Err(StoreError::Overloaded(format!("{QUEUE} reads are waiting")));
        };
        let (waiting, answer) = oneshot::channel();
        self.reads.queue.send(waiting).map_err(|_| StoreError::Closed)?;
        let late = || StoreError::NoLeader(format!("no linearizable read within {PATIENCE:?}"));
        let finish = async {
            let index = answer.await.map_err(|_| StoreError::Closed)??;
            self.applied(index).await
        };
        rt::timeout(PATIENCE, finish).await.map_err(|_| late())??;
        self.note_read();
        self.metrics.read.observe(started.elapsed());
        Ok(self.published.view())
    }

    /// The term in which this member leads, as a majority says after this call. Not asked of anybody else: the answer is
    /// about this member.
    pub(crate) async fn confirm(&self) -> Result<u64, StoreError> {
        self.check()?;
        let raft = self.raft()?;
        let patience = Timing::of(self.config.profile).read;
        let asked = rt::timeout(patience, raft.get_read_log_id(ReadPolicy::ReadIndex)).await;
        match asked {
            // The index is not below the leader's first entry, so its term is the leader's.
            Ok(Ok((read, _))) => Ok(term_of(read.log_id())),
            Ok(Err(error)) => Err(StoreError::NoLeader(error.to_string())),
            Err(_) => Err(StoreError::NoLeader("no quorum answers".into())),
        }
    }

    /// An index at which the log, once applied, holds everything acknowledged before the call.
    async fn read_index(&self) -> Result<u64, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.subscribe();
        let mut ended = self.ended.subscribe();
        let mut reason = String::from("no leader is known");
        while Instant::now() < deadline {
            self.check()?;
            let now = seen.borrow_and_update().clone();
            if let Some(leader) = now.leader {
                let asked = tokio::select! {
                    biased;
                    asked = self.ask(leader, &now) => asked,
                    _ = seen.wait_for(|later| later.leader != now.leader || later.term != now.term) => continue,
                    _ = ended.wait_for(Option::is_some) => continue,
                };
                match asked {
                    Ok(index) => return Ok(index),
                    Err(why) => reason = why,
                }
            }
            let _ = rt::timeout(Duration::from_millis(15), seen.changed()).await;
        }
        Err(StoreError::NoLeader(reason))
    }

    async fn ask(&self, leader: u64, now: &super::Seen) -> Result<u64, String> {
        let patience = Timing::of(self.config.profile).read;
        self.metrics.read_rounds.fetch_add(1, Ordering::Relaxed);
        if leader == self.config.member {
            let raft = self.raft().map_err(|error| error.to_string())?;
            let asked = rt::timeout(patience, raft.get_read_log_id(ReadPolicy::ReadIndex)).await;
            return match asked {
                Ok(Ok((read, _))) => Ok(read.index()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no quorum answers".into()),
            };
        }
        let node = now.members.get_node(&leader).ok_or_else(|| format!("leader {leader} is not a known member"))?;
        let asked = async { self.transport.peer(leader, node)?.read_index(patience).await };
        let answer = asked.await.map_err(|error: PeerError| {
            self.notice(&error);
            format!("{}: {error}", node.name)
        })?;
        if answer.error.is_empty() { Ok(answer.index) } else { Err(format!("{}: {}", node.name, answer.error)) }
    }
}

/// Answers readers, one round for all who wait, until the store is gone.
pub(crate) async fn serve_reads(core: std::sync::Weak<Core>, mut queue: ReadQueue) {
    let mut waiting = Vec::new();
    while queue.0.recv_many(&mut waiting, QUEUE).await > 0 {
        let Some(core): Option<Arc<Core>> = core.upgrade() else {
            break;
        };
        // Who gave up needs no answer.
        waiting.retain(|reader| !reader.is_closed());
        if waiting.is_empty() {
            continue;
        }
        let answer = core.read_index().await;
        for reader in waiting.drain(..) {
            let _ = reader.send(answer.clone());
        }
    }
}
