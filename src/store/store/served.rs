//! What other rooms are given of a member.

use super::RaftStore;
use crate::border::{Health, Leadership, MemberStatus, Store, StoreError, StoreStatus};
use crate::raft::types::TypeConfig;
use crate::raft::types::of::SerdeInstantOf;
use crate::rt;
use openraft::async_runtime::watch::WatchReceiver;
use raftsman_state::{Outcome, Txn, View};
use std::time::Duration;
use tokio::sync::watch;

fn silent_ms(at: &SerdeInstantOf<TypeConfig>) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[async_trait::async_trait]
impl Store for RaftStore {
    fn view(&self) -> View {
        self.core.published.view()
    }

    async fn read(&self) -> Result<View, StoreError> {
        self.core.read().await
    }

    async fn confirm(&self) -> Result<u64, StoreError> {
        self.core.confirm().await
    }

    async fn at_least(&self, revision: u64, wait: Duration) -> Result<View, StoreError> {
        self.core.check()?;
        let mut revisions = self.core.published.revision.subscribe();
        let reached = rt::timeout(wait, revisions.wait_for(|now| *now >= revision)).await;
        match reached {
            Ok(Ok(_)) => Ok(self.view()),
            _ => Err(StoreError::Behind { asked: revision, current: self.view().revision() }),
        }
    }

    async fn propose(&self, txn: Txn) -> Result<Outcome, StoreError> {
        self.core.propose(txn).await
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.core.published.revision.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.core.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.core.health.subscribe()
    }

    fn metrics(&self) -> String {
        self.core.figures()
    }

    fn status(&self) -> StoreStatus {
        let seen = self.core.seen.borrow().clone();
        let mut status = StoreStatus {
            member: self.core.config.member,
            term: seen.term,
            leader: seen.leader,
            revision: self.view().revision(),
            applied: self.core.published.applied.index().unwrap_or(0),
            ..StoreStatus::default()
        };
        let Some(raft) = self.core.raft.get() else {
            return status;
        };
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        status.last_log = metrics.last_log_index.unwrap_or(0);
        status.committed = metrics.cluster_committed.map_or(0, |id| id.index());
        let membership = &metrics.membership_config;
        let voters: Vec<u64> = membership.voter_ids().collect();
        status.members = membership
            .nodes()
            .map(|(id, member)| MemberStatus {
                id: *id,
                name: member.name.clone(),
                address: member.address.clone(),
                voter: voters.contains(id),
                silent_ms: metrics.heartbeat.as_ref().and_then(|all| all.get(id)?.as_ref()).map(silent_ms),
                matched: metrics.replication.as_ref().and_then(|all| all.get(id)).and_then(|m| m.map(|id| id.index())),
            })
            .collect();
        status
    }
}
