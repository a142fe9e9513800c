//! Proposals: to the leader, wherever it is, until the outcome is known.

use crate::border::StoreError;
use crate::codec::{decode, encode_bytes};
use crate::member::admission::{Admitted, MOST_BYTES};
use crate::member::forward::ATTEMPT;
use crate::member::own_writes::OwnWrite;
use crate::member::{Attempt, Core, Origins, is_gone};
use crate::metrics::Queue;
use crate::raft::types::Command;
use crate::rt::{self, Instant};
use bytes::Bytes;
use openraft::errors::{ClientWriteError, RaftError};
use raftsman_state::{Outcome, Txn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long an outcome is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a removed member waits for the refusals of what it has sent to the leader.
const REFUSALS: Duration = Duration::from_millis(200);

impl Core {
    /// See [`crate::border::Store::propose`].
    pub(crate) async fn propose(&self, mut txn: Txn) -> Result<Outcome, StoreError> {
        self.check()?;
        let _under_way = self.own_write()?;
        // Before anything is spent on it: its bytes are counted once they are known.
        if self.proposals.room().0 == 0 {
            return Err(self.overloaded());
        }
        let started = Instant::now();
        let deadline = started + PATIENCE;
        let origins = rt::timeout_at(deadline, self.origins.get_or_try_init(|| self.begin_session())).await;
        let ticket = origins.map_err(|_| StoreError::NoLeader("no session could be begun".into()))??.begin();
        txn.origin = Some(ticket.origin);
        let outcome = self.deliver(&txn, deadline).await;
        self.metrics.proposal.observe(started.elapsed());
        outcome
    }

    fn own_write(&self) -> Result<OwnWrite<'_>, StoreError> {
        let recorded = match self.writes.begin() {
            Ok(write) => return Ok(write),
            Err(recorded) => recorded,
        };
        // Who leads ends what the leader before it began, and that takes writes; so does who stays after all.
        let leads = || self.leadership.borrow().leading.is_some();
        if is_gone(&self.published.view(), self.config.member) && !leads() {
            return Err(StoreError::Leaving);
        }
        self.writes.resume(recorded);
        self.writes.begin().map_err(|_| StoreError::Leaving)
    }

    fn overloaded(&self) -> StoreError {
        self.metrics.refuse(Queue::Proposals, 1);
        let (count, bytes) = (self.config.max_proposals, self.config.max_proposal_bytes);
        StoreError::Overloaded(format!("{count} writes or {bytes} bytes of them are waiting"))
    }

    /// A session's number is the index of an entry that this process proposed: above all that earlier processes of this
    /// member proposed, whatever became of their disk and clock.
    async fn begin_session(&self) -> Result<Origins, StoreError> {
        match self.delivered(&Txn::default(), Instant::now() + PATIENCE).await {
            Ok((_, index)) => Ok(Origins::new(self.config.member, index)),
            // Of what is to be proposed nothing is written yet.
            Err(StoreError::Unknown { reason, .. }) => Err(StoreError::NoLeader(reason)),
            Err(error) => Err(error),
        }
    }

    async fn deliver(&self, txn: &Txn, deadline: Instant) -> Result<Outcome, StoreError> {
        let started = Instant::now();
        let (outcome, index) = self.delivered(txn, deadline).await?;
        if let Ok(Ok(())) = rt::timeout_at(deadline, self.applied(index)).await {
            return Ok(outcome);
        }
        let reason = format!("written at log index {index}, which this member has not reached");
        Err(StoreError::Unknown { waited: started.elapsed(), reason })
    }

    /// Has a transaction applied, by whichever leader, and gives its outcome and log index.
    async fn delivered(&self, txn: &Txn, deadline: Instant) -> Result<(Outcome, u64), StoreError> {
        let bytes = encode_bytes(txn).map_err(|error| StoreError::Storage(error.to_string()))?;
        if bytes.len() > MOST_BYTES {
            return Err(too_large(bytes.len()));
        }
        let Some(room) = self.proposals.admit([bytes.len()]).map(Arc::new) else {
            return Err(self.overloaded());
        };
        let started = Instant::now();
        let mut seen = self.seen.subscribe();
        let mut ended = self.ended.subscribe();
        let mut perhaps = false;
        let mut reason = String::from("no leader is known");
        while Instant::now() < deadline {
            if let Err(error) = self.check() {
                let waited = started.elapsed();
                return Err(if perhaps { StoreError::Unknown { waited, reason: error.to_string() } } else { error });
            }
            let now = seen.borrow_and_update().clone();
            if let Some(leader) = now.leader {
                let until = deadline.min(Instant::now() + ATTEMPT);
                // The proposal's copies carry one origin: whichever is applied first decides, the others repeat it.
                let attempt = tokio::select! {
                    biased;
                    attempt = self.attempt(leader, bytes.clone(), &room) => attempt,
                    _ = seen.wait_for(|later| later.leader != now.leader || later.term != now.term) => {
                        Attempt::Lost("the leader changed".into())
                    }
                    () = lost_by(&mut ended) => Attempt::Lost("this member ended".into()),
                    () = rt::sleep_until(until) => Attempt::Lost("the leader does not answer".into()),
                };
                match attempt {
                    Attempt::Done(outcome, index) => return Ok((outcome, index)),
                    Attempt::NotTaken(why) => reason = why,
                    // At once: who waits in line here only lengthens it. After a lost attempt its outcome is still sought.
                    Attempt::Full(why) if !perhaps => return Err(StoreError::Overloaded(why)),
                    Attempt::Full(why) => reason = why,
                    Attempt::Lost(why) => {
                        perhaps = true;
                        reason = why;
                    }
                }
            }
            let pause = deadline.min(Instant::now() + Duration::from_millis(15));
            let _ = rt::timeout_at(pause, seen.changed()).await;
        }
        if perhaps {
            Err(StoreError::Unknown { waited: started.elapsed(), reason })
        } else {
            Err(StoreError::NoLeader(reason))
        }
    }

    async fn attempt(&self, leader: u64, txn: Bytes, room: &Arc<Admitted>) -> Attempt<Outcome> {
        if leader == self.config.member {
            return self.write_here(txn).await;
        }
        match self.forwarding.forward(leader, txn, room.clone()).await {
            Attempt::NotTaken(why) => Attempt::NotTaken(why),
            Attempt::Full(why) => Attempt::Full(why),
            Attempt::Lost(why) => Attempt::Lost(why),
            Attempt::Done(outcome, index) => match decode::<Option<Outcome>>(&outcome) {
                Ok(Some(outcome)) => Attempt::Done(outcome, index),
                Ok(None) => Attempt::Lost("the entry has no outcome".into()),
                Err(error) => Attempt::Lost(error.to_string()),
            },
        }
    }

    async fn write_here(&self, txn: Bytes) -> Attempt<Outcome> {
        let raft = match self.raft() {
            Ok(raft) => raft,
            Err(error) => return Attempt::NotTaken(error.to_string()),
        };
        if self.door.is_behind() {
            return Attempt::Full("this member's disk is far behind".into());
        }
        match raft.client_write(Command(txn)).await {
            Ok(written) => match written.data {
                Some(outcome) => Attempt::Done(outcome, written.log_id.index()),
                None => Attempt::Lost("the entry has no outcome".into()),
            },
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Attempt::NotTaken("this member leads no more".into())
            }
            Err(error) => Attempt::Lost(error.to_string()),
        }
    }
}

/// When an answer is to be waited for no more because the member has ended. One that was removed is refused whatever is under
/// way, and hears of it: then nothing was written.
async fn lost_by(ended: &mut watch::Receiver<Option<StoreError>>) {
    if let Ok(why) = ended.wait_for(Option::is_some).await.map(|why| why.clone())
        && matches!(why, Some(StoreError::Removed(_)))
    {
        rt::sleep(REFUSALS).await;
    }
}

/// Not a matter of load: it never fits, through whichever member.
fn too_large(bytes: usize) -> StoreError {
    StoreError::Overloaded(format!(
        "a write of {bytes} bytes, where one may have {MOST_BYTES}: nothing was written; divide it"
    ))
}
