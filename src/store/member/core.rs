//! What the parts of a running member share.

use crate::alarm::Alarm;
use crate::border::{Health, Leadership, Members, StoreError};
use crate::config::StoreConfig;
use crate::member::{Admission, Forwarding, Lease, Origins, OwnWrites, ReadGate};
use crate::metrics::Metrics;
use crate::peers::{Door, PeerError, Transport};
use crate::raft::Published;
use crate::raft::types::{Membership, Raft};
use crate::rt::Instant;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};

/// Who leads whom, as Raft says here and now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) term: u64,
    pub(crate) leader: Option<u64>,
    pub(crate) members: Arc<Membership>,
}

/// See the module.
pub(crate) struct Core {
    pub(crate) config: StoreConfig,
    pub(crate) raft: OnceLock<Raft>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) published: Arc<Published>,
    pub(crate) door: Arc<Door>,
    /// Begins with the first proposal.
    pub(crate) origins: OnceCell<Origins>,
    pub(crate) proposals: Admission,
    pub(crate) writes: Arc<OwnWrites>,
    pub(crate) forwarding: Forwarding,
    pub(crate) reads: ReadGate,
    pub(crate) lease: Arc<Lease>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) seen: watch::Sender<Seen>,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) health: watch::Sender<Health>,
    /// Raised by storage that failed.
    pub(crate) alarm: Alarm,
    /// Why this member serves no more.
    pub(crate) ended: watch::Sender<Option<StoreError>>,
    /// One change of the members at a time.
    pub(crate) changes: tokio::sync::Mutex<()>,
    /// The members, for other rooms.
    pub(crate) members: watch::Sender<Arc<Members>>,
    last_read: Mutex<Option<Instant>>,
}

impl Core {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        config: StoreConfig,
        transport: Arc<dyn Transport>,
        published: Arc<Published>,
        door: Arc<Door>,
        reads: ReadGate,
        alarm: Alarm,
        forwarding: Forwarding,
        lease: Arc<Lease>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            alarm,
            proposals: Admission::new(config.max_proposals, config.max_proposal_bytes),
            config,
            writes: door.writes(),
            raft: OnceLock::new(),
            transport,
            published,
            door,
            origins: OnceCell::new(),
            forwarding,
            reads,
            lease,
            metrics,
            seen: watch::Sender::new(Seen::default()),
            leadership: watch::Sender::new(Leadership::default()),
            health: watch::Sender::new(Health { ready: false, reason: "starting".into() }),
            ended: watch::Sender::new(None),
            changes: tokio::sync::Mutex::default(),
            members: watch::Sender::new(Arc::default()),
            last_read: Mutex::new(None),
        }
    }

    pub(crate) fn raft(&self) -> Result<&Raft, StoreError> {
        self.check()?;
        self.raft.get().ok_or_else(|| StoreError::NoLeader("this member is starting".into()))
    }

    /// An error once this member serves no more.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.ended.borrow().clone().map_or(Ok(()), Err)
    }

    /// Ends service with an error; the first one stays.
    pub(crate) fn end(&self, error: StoreError) {
        // Raft learns of failed storage too; what failed knows it best.
        let error = match (error, self.alarm.reason()) {
            (StoreError::Storage(_), Some(reason)) => StoreError::Storage(reason),
            (error, _) => error,
        };
        let first = self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(error.clone());
            }
            first
        });
        if !first {
            return;
        }
        self.leadership.send_if_modified(|leadership| leadership.leading.take().is_some());
        self.health.send_replace(Health { ready: false, reason: error.to_string() });
    }

    /// Hears of this member's removal in whatever another one answers.
    pub(crate) fn notice(&self, error: &PeerError) {
        if let PeerError::Removed(why) = error {
            self.removed(why);
        }
    }

    /// The others say that this member was removed: it serves no more, and leaves them alone.
    pub(crate) fn removed(&self, why: &str) {
        if let Some(raft) = self.raft.get() {
            raft.runtime_config().elect(false);
        }
        self.end(StoreError::Removed(why.to_owned()));
    }

    /// A linearizable read has just succeeded.
    pub(crate) fn note_read(&self) {
        *self.last_read.lock() = Some(Instant::now());
    }

    /// Since the last linearizable read; `None` before the first.
    pub(crate) fn since_read(&self) -> Option<Duration> {
        self.last_read.lock().map(|at| at.elapsed())
    }

    /// Waits until effects of a log index are published here.
    pub(crate) async fn applied(&self, index: u64) -> Result<(), StoreError> {
        if self.published.applied.index() >= Some(index) {
            return Ok(());
        }
        let mut ended = self.ended.subscribe();
        tokio::select! {
            biased;
            () = self.published.applied.wait(index) => Ok(()),
            _ = ended.wait_for(Option::is_some) => self.check(),
        }
    }
}
