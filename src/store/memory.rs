//! A store of one member without a disk: the fake for tests of the rooms above. Never part of a running master.

use crate::border::{Health, Leadership, MemberStatus, Store, StoreError, StoreStatus};
use parking_lot::Mutex;
use raftsman_state::{Outcome, State, Txn, View};
use std::time::Duration;
use tokio::sync::watch;

/// Applies in process, at once.
pub struct MemoryStore {
    state: Mutex<State>,
    revisions: watch::Sender<u64>,
    leadership: watch::Sender<Leadership>,
    health: watch::Sender<Health>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let leading = Leadership { term: 1, leader: Some(1), leading: Some(1) };
        Self {
            state: Mutex::new(State::default()),
            revisions: watch::Sender::new(0),
            leadership: watch::Sender::new(leading),
            health: watch::Sender::new(Health { ready: true, reason: String::new() }),
        }
    }
}

impl MemoryStore {
    /// Changes who leads, as an election would.
    pub fn set_leadership(&self, leadership: Leadership) {
        self.leadership.send_replace(leadership);
    }

    /// Changes the health, as a partition would.
    pub fn set_health(&self, health: Health) {
        self.health.send_replace(health);
    }
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    fn view(&self) -> View {
        self.state.lock().view()
    }

    async fn read(&self) -> Result<View, StoreError> {
        Ok(self.view())
    }

    async fn confirm(&self) -> Result<u64, StoreError> {
        let leading = self.leadership.borrow().leading;
        leading.ok_or_else(|| StoreError::NoLeader("another member leads".into()))
    }

    async fn at_least(&self, revision: u64, wait: Duration) -> Result<View, StoreError> {
        let mut revisions = self.revisions.subscribe();
        let reached = tokio::time::timeout(wait, revisions.wait_for(|now| *now >= revision)).await;
        match reached {
            Ok(Ok(_)) => Ok(self.view()),
            _ => Err(StoreError::Behind { asked: revision, current: self.view().revision() }),
        }
    }

    async fn propose(&self, txn: Txn) -> Result<Outcome, StoreError> {
        let mut state = self.state.lock();
        let term = self.leadership.borrow().term;
        let applied = state.apply(term, &txn);
        if !applied.changes.is_empty() {
            self.revisions.send_replace(state.revision());
        }
        applied.outcome.ok_or(StoreError::Closed)
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn status(&self) -> StoreStatus {
        let leadership = *self.leadership.borrow();
        let revision = self.view().revision();
        let members = vec![MemberStatus { id: 1, name: "m1".to_owned(), voter: true, ..MemberStatus::default() }];
        let (term, leader) = (leadership.term, leadership.leader);
        StoreStatus { member: 1, term, leader, revision, members, ..StoreStatus::default() }
    }
}
