//! The simulated network: who is there, and how messages go between them.

use crate::peers::{Caller, Door, Peer, PeerError, Transport};
use crate::raft::types::Member;
use crate::rt::{Context, Instant, truth};
use crate::sim::Chance;
use crate::sim::link::Links;
use crate::sim::peer::SimPeer;
use crate::sim::trace::Trace;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a stream waits for a cut way to heal before its connection breaks.
const HOLD: Duration = Duration::from_secs(2);

/// When a lost message of a stream is sent again.
const AGAIN: Duration = Duration::from_millis(200);

/// A member that listens.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) door: Arc<Door>,
    pub(crate) life: Arc<Context>,
}

/// See the module.
pub(crate) struct SimNetwork {
    pub(crate) links: Mutex<Links>,
    pub(crate) trace: Mutex<Trace>,
    listeners: Mutex<BTreeMap<u64, Listener>>,
    chance: Mutex<Chance>,
}

impl SimNetwork {
    pub(crate) fn new(chance: Chance) -> Arc<Self> {
        Arc::new(Self {
            links: Mutex::default(),
            trace: Mutex::new(Trace::new()),
            listeners: Mutex::default(),
            chance: Mutex::new(chance),
        })
    }

    pub(crate) fn attach(&self, id: u64, listener: Listener) {
        self.listeners.lock().insert(id, listener);
    }

    pub(crate) fn detach(&self, id: u64) {
        self.listeners.lock().remove(&id);
    }

    /// Who listens there now.
    pub(crate) fn listener(&self, id: u64) -> Result<Listener, PeerError> {
        let found = self.listeners.lock().get(&id).filter(|listener| !listener.life.dead()).cloned();
        found.ok_or_else(|| PeerError::Unreachable(format!("member {id}: connection refused")))
    }

    /// Carries one message, or never returns because it is lost.
    pub(crate) async fn carry(&self, from: u64, to: u64, what: &str) {
        let (lost, delay) = {
            let (links, mut chance) = (self.links.lock(), self.chance.lock());
            (!links.open(from, to) || chance.millionths(links.weather.loss), links.delay(&mut chance))
        };
        self.trace.lock().note(what, &[from, to, u64::from(lost), delay.as_millis() as u64]);
        if !lost {
            truth::sleep(delay).await;
            if self.links.lock().open(from, to) {
                return;
            }
        }
        std::future::pending().await
    }

    pub(crate) fn twice(&self) -> bool {
        self.chance.lock().millionths(self.links.lock().weather.twice)
    }

    /// When a message of a stream arrives, if its connection holds.
    pub(crate) fn arrival(&self, from: u64, to: u64, what: &str) -> Option<Instant> {
        let (links, mut chance) = (self.links.lock(), self.chance.lock());
        let broken = chance.millionths(links.weather.breaks);
        let again = if chance.millionths(links.weather.loss) { AGAIN } else { Duration::ZERO };
        let delay = links.delay(&mut chance) + again;
        self.trace.lock().note(what, &[from, to, u64::from(broken), delay.as_millis() as u64]);
        (!broken).then(|| truth::now() + delay)
    }

    /// Waits for a message of a stream; false if its connection broke meanwhile.
    pub(crate) async fn arrived(&self, from: u64, to: u64, at: Instant) -> bool {
        truth::sleep_until(at).await;
        let patience = truth::now() + HOLD;
        while !self.links.lock().open(from, to) {
            if truth::now() >= patience {
                return false;
            }
            truth::sleep(AGAIN).await;
        }
        true
    }
}

/// The network as one member sees it.
pub(crate) struct SimTransport {
    network: Arc<SimNetwork>,
    caller: Caller,
    lineage: Arc<AtomicU64>,
}

impl SimTransport {
    /// Of a member whose certificate carries this name.
    pub(crate) fn new(network: Arc<SimNetwork>, member: u64, name: String) -> Self {
        Self { network, caller: Caller { member, names: vec![name] }, lineage: Arc::default() }
    }
}

impl Transport for SimTransport {
    fn peer(&self, id: u64, _member: &Member) -> Result<Arc<dyn Peer>, PeerError> {
        let (network, caller, lineage) = (self.network.clone(), self.caller.clone(), self.lineage.clone());
        Ok(Arc::new(SimPeer { network, me: caller.member, to: id, caller, lineage }))
    }

    fn set_lineage(&self, lineage: u64) {
        self.lineage.store(lineage, Ordering::Release);
    }
}
