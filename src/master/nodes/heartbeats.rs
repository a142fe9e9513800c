//! Signs of life on their way to the leader's memory.

use crate::peers::Peers;
use parking_lot::RwLock;
use raftsman_controllers::{Clock, HeartbeatTable, SystemClock};
use raftsman_proto::v1::HeartbeatsRequest;
use raftsman_proto::v1::leader_client::LeaderClient;
use raftsman_store::border::{Leadership, Store};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// A leader's answer to signs of life: it noted them, and a majority confirmed its leadership after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The leader's term.
    pub term: u64,
    /// Fenced pods may run for so long, from the moment at which the node sent the sign.
    pub valid: Duration,
}

/// What one leadership knows of nodes.
#[derive(Clone)]
struct Reign {
    term: u64,
    table: Arc<HeartbeatTable>,
    clock: SystemClock,
}

/// What the leader remembers of nodes; empty on other masters, and new with each leadership.
pub struct LeaderMemory {
    reign: RwLock<Option<Reign>>,
    deadline: Duration,
}

impl LeaderMemory {
    /// `deadline`: how long a promise to a node holds ([`raftsman_api::fencing`]).
    pub fn new(deadline: Duration) -> Self {
        Self { reign: RwLock::new(None), deadline }
    }

    /// A leadership begins, with a table and a clock of its own.
    pub fn begin(&self, term: u64) -> (Arc<HeartbeatTable>, Arc<SystemClock>) {
        let table = Arc::new(HeartbeatTable::default());
        let mut reign = self.reign.write();
        // Begun under the lock: nothing that an earlier reign noted is later than this clock's zero.
        let clock = SystemClock::new();
        *reign = Some(Reign { term, table: table.clone(), clock });
        (table, Arc::new(clock))
    }

    /// A leadership ended.
    pub fn end(&self) {
        *self.reign.write() = None;
    }

    /// Notes signs of life. Gives the reign that did, if this master leads.
    fn note(&self, nodes: &[String]) -> Option<Reign> {
        // Held until all is noted: a table that was replaced is never written to.
        let reign = self.reign.read();
        let reign = reign.as_ref()?;
        let now = reign.clock.mono();
        nodes.iter().for_each(|node| reign.table.beat(node, now));
        Some(reign.clone())
    }

    /// Notes signs of life and then has a majority confirm that this master leads; `None`: it does not.
    pub async fn take(&self, nodes: &[String], store: &dyn Store) -> Option<Ack> {
        let noted = self.note(nodes)?;
        // In this order: whoever leads next was elected after the signs were noted, and waits in full.
        let term = store.confirm().await.inspect_err(|error| tracing::debug!(%error, "signs of life")).ok()?;
        let same = self.reign.read().as_ref().is_some_and(|now| Arc::ptr_eq(&now.table, &noted.table));
        (same && term == noted.term).then_some(Ack { term, valid: self.deadline })
    }
}

/// One sign of life and where to tell that the leader saw it.
type Sign = (String, oneshot::Sender<Ack>);

/// Requests to the leader under way at once: one that is slow does not hold up the others.
const AT_ONCE: usize = 8;
/// Signs gather for so long before the next request while one is under way.
const GATHER: Duration = Duration::from_millis(100);

/// Where signs of life are sent on another master.
#[async_trait::async_trait]
pub trait Leaders: Send + Sync + 'static {
    /// Tells the leader of signs of life; `None` if it did not take them.
    async fn tell(&self, leader: u64, nodes: Vec<String>) -> Option<Ack>;
}

#[async_trait::async_trait]
impl Leaders for Peers {
    async fn tell(&self, leader: u64, nodes: Vec<String>) -> Option<Ack> {
        let channel = self.channel(leader)?;
        match LeaderClient::new(channel).heartbeats(HeartbeatsRequest { nodes }).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let valid = Duration::from_millis(answer.valid_ms);
                answer.accepted.then_some(Ack { term: answer.term, valid })
            }
            Err(error) => {
                tracing::debug!(%error, leader, "heartbeats did not reach the leader");
                None
            }
        }
    }
}

/// Takes signs of life to the leader, those that come at the same time in one request.
#[derive(Clone)]
pub struct Relay {
    signs: mpsc::Sender<Sign>,
}

impl Relay {
    /// Starts the relay on this runtime; it ends when all its handles are dropped.
    pub fn start(memory: Arc<LeaderMemory>, leaders: Arc<dyn Leaders>, store: Arc<dyn Store>) -> Self {
        let (signs, inbox) = mpsc::channel(4096);
        tokio::spawn(relay(inbox, memory, leaders, store));
        Self { signs }
    }

    /// Waits until it is no more: before its handles are dropped that is a failure.
    pub async fn ended(&self) {
        self.signs.closed().await;
    }

    /// The leader's answer; `None` if it could not be reached, or does not lead any more.
    pub async fn seen(&self, node: &str) -> Option<Ack> {
        let (done, answer) = oneshot::channel();
        self.signs.try_send((node.to_owned(), done)).ok()?;
        answer.await.ok()
    }
}

async fn relay(
    mut inbox: mpsc::Receiver<Sign>,
    memory: Arc<LeaderMemory>,
    leaders: Arc<dyn Leaders>,
    store: Arc<dyn Store>,
) {
    let leadership = store.leadership();
    let mut batch: Vec<Sign> = Vec::new();
    let mut under_way = JoinSet::new();
    while inbox.recv_many(&mut batch, 4096).await > 0 {
        while under_way.try_join_next().is_some() {}
        let now = *leadership.borrow();
        let Some(leader) = now.leader else {
            batch.clear();
            continue;
        };
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        let signs = std::mem::take(&mut batch);
        let (memory, leaders, store) = (memory.clone(), leaders.clone(), store.clone());
        let leadership = leadership.clone();
        match now.leading {
            Some(_) => under_way.spawn(async move {
                let ack = memory.take(&nodes(&signs), store.as_ref()).await;
                answer(signs, ack);
            }),
            None => under_way.spawn(tell(leaders, leader, leadership, signs)),
        };
        if under_way.len() > 1 {
            tokio::time::sleep(GATHER).await;
        }
    }
}

fn nodes(signs: &[Sign]) -> Vec<String> {
    let nodes: BTreeSet<&str> = signs.iter().map(|(node, _)| node.as_str()).collect();
    nodes.into_iter().map(str::to_owned).collect()
}

/// Without an answer, those who wait learn by their sender's end.
fn answer(signs: Vec<Sign>, ack: Option<Ack>) {
    if let Some(ack) = ack {
        for (_, done) in signs {
            // Who gave up waiting needs no answer.
            let _ = done.send(ack);
        }
    }
}

/// One request, given up when somebody else leads.
async fn tell(leaders: Arc<dyn Leaders>, leader: u64, mut leadership: watch::Receiver<Leadership>, signs: Vec<Sign>) {
    let ack = tokio::select! {
        ack = leaders.tell(leader, nodes(&signs)) => ack,
        _ = leadership.wait_for(|now| now.leader != Some(leader)) => None,
    };
    answer(signs, ack);
}

#[cfg(test)]
#[path = "heartbeats_tests.rs"]
mod tests;
