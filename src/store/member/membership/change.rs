//! Carries out plans, on the leader.

use crate::border::{Change, ChangeError, Changed, StoreError};
use crate::member::Core;
use crate::member::membership::plan::{Plan, Refusal, Roster, Seen, Step, plan};
use crate::member::membership::record::{self, Record};
use crate::peers::PeerError;
use crate::raft::config::Timing;
use crate::raft::types::{LogId, Member, Membership, Raft, TypeConfig};
use crate::rt::{self, Instant, timeout, timeout_at};
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::raft::{Precondition, VoteRequest};
use raftsman_state::Outcome;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a change waits for the one before it.
const QUEUE: Duration = Duration::from_secs(10);

/// How long a learner is waited for before the caller is told to ask again.
const CATCH_UP: Duration = Duration::from_secs(20);

/// A member's progress is looked at so often while it is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// How long a leader waits for another to take over.
const HAND_OVER: Duration = Duration::from_secs(2);

/// How long a member that goes is given to end its clients' writes.
const DRAIN: Duration = Duration::from_secs(5);

type Result<T> = std::result::Result<T, ChangeError>;

fn lost(reason: impl std::fmt::Display) -> ChangeError {
    ChangeError::Lost(reason.to_string())
}

fn no_longer(refusal: Refusal) -> ChangeError {
    let (Refusal::Refused(why) | Refusal::Unknown(why) | Refusal::Behind(why)) = refusal;
    ChangeError::NotYet(why)
}

fn behind(error: StoreError) -> ChangeError {
    match error {
        StoreError::Unknown { .. } => lost(error),
        other => ChangeError::NotYet(other.to_string()),
    }
}

impl Core {
    /// Makes a change, if this member leads. It goes on when the caller goes away.
    pub(crate) async fn change_members(self: &Arc<Self>, change: Change) -> Result<Changed> {
        let core = self.clone();
        let work = rt::spawn(async move {
            let changed = core.change(&change).await;
            if changed.is_err() {
                // What it left half done waits for nobody else: nothing else may change for long.
                core.seen.send_modify(|_| {});
            }
            changed
        });
        work.await.unwrap_or_else(|error| Err(lost(error)))
    }

    async fn change(&self, change: &Change) -> Result<Changed> {
        let begun = Instant::now();
        loop {
            let turn = timeout(QUEUE, self.changes.lock()).await;
            let turn = turn.map_err(|_| ChangeError::NotYet("another change of the masters is under way".into()))?;
            let raft = self.leading_raft()?;
            self.end_joint(&raft).await?;
            let (roster, at) = self.roster(&raft, begun.elapsed()).await?;
            // Who has answered before may be dead since: only an answer to this leader's later heartbeats counts, and
            // everybody gets the time for one.
            let heard = roster.all_answer() || begun.elapsed() >= Timing::of(self.config.profile).silence();
            match plan(&roster, change) {
                _ if !heard => {}
                Ok(plan) => match self.would_vote(&raft, &plan.steps, &roster).await {
                    Ok(()) => return self.carry_out(&raft, change, plan, at).await,
                    Err(why) if begun.elapsed() >= CATCH_UP => return Err(ChangeError::NotYet(why)),
                    Err(_) => {}
                },
                Err(Refusal::Unknown(why)) => return Err(ChangeError::Unknown(why)),
                Err(Refusal::Refused(why)) => return Err(ChangeError::Refused(why)),
                Err(Refusal::Behind(why)) if begun.elapsed() >= CATCH_UP => return Err(ChangeError::NotYet(why)),
                Err(Refusal::Behind(_)) => {}
            }
            drop(turn);
            rt::sleep(LOOK).await;
        }
    }

    /// Raft, while this member leads with an entry of its own applied: whatever was in the log before is committed.
    fn leading_raft(&self) -> Result<Raft> {
        let leadership = *self.leadership.borrow();
        if leadership.leading.is_none() {
            let leader = leadership.leader.filter(|leader| *leader != self.config.member);
            return Err(ChangeError::NotLeader { leader });
        }
        self.raft().cloned().map_err(|error| ChangeError::NotYet(error.to_string()))
    }

    /// The members as this leader sees them, and the log id of the membership. Answers of so long ago count, or of as long
    /// ago as a member may be silent.
    pub(crate) async fn roster(&self, raft: &Raft, ago: Duration) -> Result<(Roster, Option<LogId>)> {
        let me = self.config.member;
        let membership = effective(raft).await?;
        let metrics = raft.metrics().borrow_watched().clone();
        let (Some(matched), Some(beats)) = (&metrics.replication, &metrics.heartbeat) else {
            return Err(ChangeError::NotLeader { leader: None });
        };
        let silent = Timing::of(self.config.profile).silence().min(ago);
        let mut members = BTreeMap::new();
        for (id, member) in membership.nodes() {
            let index = matched.get(id).copied().flatten().map(|id| id.index());
            let lag = index.map(|index| metrics.last_log_index.unwrap_or(0).saturating_sub(index));
            let answers = beats.get(id).copied().flatten().is_some_and(|at| at.elapsed() < silent);
            let seen = Seen { member: member.clone(), answers: answers || *id == me, lag };
            members.insert(*id, seen);
        }
        let voters = membership.get_joint_config().last().cloned().unwrap_or_default();
        let records = record::records(&self.published.view());
        Ok((Roster { leader: me, voters, members, records }, *membership.log_id()))
    }

    /// Those that are to vote do: one that began with an empty disk does not before it has caught up. As a voter it would be
    /// counted on for an election that it takes no part in, and only a leader could end that.
    pub(crate) async fn would_vote(
        &self,
        raft: &Raft,
        steps: &[Step],
        roster: &Roster,
    ) -> std::result::Result<(), String> {
        let patience = Timing::of(self.config.profile).read;
        let (vote, last) = {
            let metrics = raft.metrics();
            let metrics = metrics.borrow_watched();
            (metrics.vote, metrics.last_applied)
        };
        for step in steps {
            let Step::Vote { come, .. } = step else { continue };
            for id in come {
                let Some(Seen { member, .. }) = roster.members.get(id) else { continue };
                // Whatever it answers, it answers only if it votes.
                let asked = async {
                    let request = VoteRequest::new(vote, last);
                    self.transport.peer(*id, member)?.pre_vote(request, patience).await
                };
                if let Err(error) = asked.await {
                    return Err(format!("{} does not vote yet: {error}", member.name));
                }
            }
        }
        Ok(())
    }

    async fn carry_out(&self, raft: &Raft, change: &Change, plan: Plan, mut at: Option<LogId>) -> Result<Changed> {
        let already = plan.steps.is_empty();
        for step in plan.steps {
            tracing::info!(?step, "changing the members");
            if let Step::HandOver(heir) = step {
                self.hand_over(raft, heir).await;
                let leader = self.seen.borrow().leader.filter(|leader| *leader != self.config.member);
                return match (change, leader) {
                    (Change::Transfer { .. }, Some(leader)) if leader == heir => {
                        Ok(Changed { member: heir, already, advice: String::new() })
                    }
                    (Change::Transfer { .. }, _) => {
                        Err(ChangeError::NotYet("the leadership was not taken over; ask again".into()))
                    }
                    _ => Err(ChangeError::NotLeader { leader }),
                };
            }
            let drained = matches!(step, Step::Drain(_));
            at = self.step(raft, step, at).await?;
            if drained {
                // That took time, and who answers may be another one now.
                let (roster, _) = self.roster(raft, Duration::MAX).await?;
                self::plan(&roster, change).map_err(no_longer)?;
            }
        }
        Ok(Changed { member: plan.member, already, advice: plan.advice })
    }

    /// Does one step on top of the membership at this log id; the log id of the membership afterwards.
    pub(crate) async fn step(&self, raft: &Raft, step: Step, at: Option<LogId>) -> Result<Option<LogId>> {
        let (change, keep) = match step {
            Step::Write(record) => {
                self.keep_record(&record).await?;
                return Ok(at);
            }
            Step::HandOver(heir) => {
                self.hand_over(raft, heir).await;
                return Ok(at);
            }
            Step::Drain(id) => {
                self.drain(raft, id).await;
                return Ok(at);
            }
            Step::Learn(id, member) => (ChangeMembers::AddNodes(BTreeMap::from([(id, member)])), true),
            Step::Forget(id) => (ChangeMembers::RemoveNodes([id].into()), true),
            Step::Move { id, to, ask } => {
                if ask {
                    self.is_there(id, &to).await?;
                }
                (ChangeMembers::SetNodes(BTreeMap::from([(id, to)])), true)
            }
            Step::Vote { come, go, keep } => {
                let both = vec![ChangeMembers::AddVoterIds(come), ChangeMembers::RemoveVoters(go)];
                (ChangeMembers::Batch(both), keep)
            }
        };
        apply(raft, change, keep, at).await
    }

    /// A joint membership goes on to where it was going. Voters that go become learners; if they were to be removed, their
    /// records say so.
    pub(crate) async fn end_joint(&self, raft: &Raft) -> Result<()> {
        let membership = effective(raft).await?;
        let configs = membership.get_joint_config();
        if configs.len() < 2 {
            return Ok(());
        }
        if !configs.last().is_some_and(|next| next.contains(&self.config.member)) {
            // This member goes: one that stays must lead when it does.
            let (roster, _) = self.roster(raft, Duration::MAX).await?;
            let Some(heir) = roster.heir(self.config.member) else {
                return Err(ChangeError::NotYet("no voter that stays answers".into()));
            };
            self.hand_over(raft, heir).await;
            return Err(ChangeError::NotLeader { leader: Some(heir) });
        }
        tracing::info!("ending a change of the voters that another leader began");
        apply(raft, ChangeMembers::AddVoterIds(Default::default()), true, *membership.log_id()).await.map(drop)
    }

    async fn keep_record(&self, record: &Record) -> Result<()> {
        let Some(term) = self.leadership.borrow().leading else {
            return Err(ChangeError::NotLeader { leader: None });
        };
        let before = record::records(&self.published.view()).get(&record.id).map(|(_, revision)| *revision);
        let txn = record::write(record, before, term).map_err(|error| ChangeError::Refused(error.to_string()))?;
        match self.propose(txn).await.map_err(behind)? {
            Outcome::Committed(_) => Ok(()),
            Outcome::Failed { compare: 0, .. } => Err(ChangeError::NotLeader { leader: None }),
            Outcome::Failed { .. } | Outcome::Expired => {
                Err(ChangeError::NotYet("the members were changed by another leader meanwhile; ask again".into()))
            }
        }
    }

    /// Gives leadership to this voter and waits until somebody has it.
    pub(crate) async fn hand_over(&self, raft: &Raft, heir: u64) {
        let me = self.config.member;
        tracing::info!(heir, "handing over the leadership");
        if let Err(error) = raft.trigger().transfer_leader(heir).await {
            tracing::warn!(%error, heir, "the leadership could not be handed over");
            return;
        }
        let mut seen = self.seen.subscribe();
        let gone = seen.wait_for(|seen| seen.leader.is_some_and(|leader| leader != me));
        if timeout(HAND_OVER, gone).await.is_err() {
            tracing::warn!(heir, "leadership was not taken over; the others will elect");
        }
    }

    /// Before this member goes: gives leadership, if it has it, to the voter that is nearest.
    pub(crate) async fn hand_over_to_nearest(&self, raft: &Raft) {
        let me = self.config.member;
        if self.seen.borrow().leader != Some(me) {
            return;
        }
        // No change of the members begins here any more; one that is under way is ended by the next leader.
        let _turn = self.changes.try_lock();
        if let Ok((roster, _)) = self.roster(raft, Duration::MAX).await
            && let Some(heir) = roster.heir(me)
        {
            self.hand_over(raft, heir).await;
        }
    }

    /// One that does not answer goes all the same: what becomes of its writes, nobody can tell its clients.
    async fn drain(&self, raft: &Raft, id: u64) {
        let asked = async {
            let membership = effective(raft).await?;
            let Some(member) = membership.get_node(&id) else { return Ok(()) };
            let recorded = self.published.applied.index().unwrap_or(0);
            let peer = self.transport.peer(id, member).map_err(lost)?;
            peer.drain(recorded, DRAIN).await.map_err(lost)
        };
        if let Err(error) = asked.await {
            tracing::warn!(%error, member = id, "it is removed while writes of its clients may be under way");
        }
    }

    /// The member answers at its new address, under its new name.
    async fn is_there(&self, id: u64, to: &Member) -> Result<()> {
        let silent = |(_, why): (String, PeerError)| {
            ChangeError::Refused(format!(
                "{} does not answer at {}: {why}; start it there first, or force the change if it cannot be started before",
                to.name, to.address
            ))
        };
        crate::member::bootstrap::ask(&*self.transport, self.config.member, id, to).await.map(drop).map_err(silent)
    }
}

impl Roster {
    fn all_answer(&self) -> bool {
        self.members.values().all(|seen| seen.answers)
    }
}

/// The newest membership in the leader's log.
async fn effective(raft: &Raft) -> Result<Arc<Membership>> {
    raft.with_raft_state(|state| state.membership_state.effective().clone()).await.map_err(lost)
}

/// Replicates a change of the membership that is at this log id, until it is committed.
async fn apply(
    raft: &Raft,
    change: ChangeMembers<u64, Member>,
    keep: bool,
    at: Option<LogId>,
) -> Result<Option<LogId>> {
    let unchanged: Precondition<TypeConfig> = Precondition::LastMembershipLogId { last_membership_log_id: at };
    let deadline = Instant::now() + CATCH_UP;
    let done = timeout_at(deadline, raft.change_membership_if(change, keep, [unchanged])).await;
    match done {
        Ok(Ok(written)) => Ok(Some(written.log_id)),
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
            Err(ChangeError::NotLeader { leader: forward.leader_id })
        }
        Ok(Err(RaftError::APIError(error))) => Err(ChangeError::NotYet(format!("{error}; ask again"))),
        Ok(Err(error)) => Err(lost(error)),
        Err(_) => Err(lost("no quorum answers")),
    }
}
