//! A cluster out of one surviving member, for when its quorum is lost for good.
//!
//! Everything in the member's log counts as done, committed or not: what the lost members had acknowledged with its help is in
//! there. The member becomes the only voter; the others learn, and vote again when they are back with empty disks and have
//! caught up. A new epoch begins, and a new lineage, so that nothing that the lost members still hold can mix with what comes now.

use super::beginning::Beginning;
use super::offline::{Offline, storage};
use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::disk::{AppliedEntry, Progress};
use crate::environment::Environment;
use crate::files::DirectoryLock;
use crate::lineage;
use crate::member::to_vote;
use crate::peers::Identity;
use crate::raft::types::{LogId, Member, Membership, term_of};
use crate::raft::{Published, StateMachine};
use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long other members are waited for when they are asked whether they live.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a recovery would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoverPlan {
    /// The member that survives.
    pub member: u64,
    /// Its host's name.
    pub name: String,
    /// The newest entry in its log.
    pub last_log: u64,
    /// That entry's term.
    pub last_term: u64,
    /// The newest entry that it knows to be committed; later ones may never have been acknowledged, and are kept.
    pub committed: u64,
    /// The revision that its log ends at.
    pub revision: u64,
    /// The revision that it would go on from.
    pub next_revision: u64,
    /// The number of the epoch that would begin.
    pub next_epoch: u64,
    /// The voters that are given up: id, name and address.
    pub given_up: Vec<(u64, String, String)>,
    /// Of those, the ones that answer now.
    pub answering: Vec<String>,
}

/// A recovery that was planned and not carried out.
pub struct Recovery {
    offline: Offline,
    plan: RecoverPlan,
    machine: StateMachine,
    /// What the log has and the state on disk has not.
    entries: Vec<AppliedEntry>,
    last: LogId,
    nodes: BTreeMap<u64, Member>,
}

impl Recovery {
    /// Opens the data directory, whose member must not run, and finds out what there is. Changes nothing of it.
    ///
    /// # Errors
    /// The directory is in use, empty or damaged; or so many of the other voters answer that the cluster needs no
    /// recovery.
    pub async fn plan(config: &StoreConfig) -> Result<Self, StoreError> {
        if !config.data_dir.exists() {
            return Err(empty(config));
        }
        let lock = DirectoryLock::take(&config.data_dir).map_err(storage)?;
        Self::plan_in(config, Environment::real(config)?, Some(lock)).await
    }

    /// The same in its environment.
    pub(crate) fn plan_in(
        config: &StoreConfig,
        environment: Environment,
        lock: Option<DirectoryLock>,
    ) -> BoxFuture<'_, Result<Self, StoreError>> {
        Self::planned_in(config, environment, lock).boxed()
    }

    async fn planned_in(
        config: &StoreConfig,
        environment: Environment,
        lock: Option<DirectoryLock>,
    ) -> Result<Self, StoreError> {
        let (mut offline, loaded) = Offline::open_in(config, environment, lock).await?;
        let applied = loaded.progress.applied.map_or(0, |id| id.index());
        let found = Self::read(&mut offline, loaded).await;
        let opened = match found {
            Ok(Some((machine, entries, last))) => Ok((machine, entries, last)),
            Ok(None) => Err(empty(config)),
            Err(error) => Err(error),
        };
        let (machine, entries, last) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                offline.close().await?;
                return Err(error);
            }
        };
        let nodes = machine.membership().nodes().map(|(id, member)| (*id, member.clone())).collect();
        let committed = offline.log.read_committed().await.map_err(storage)?;
        let revision = machine.state().revision();
        let begins = Beginning::now(revision, machine.state().epoch());
        let plan = RecoverPlan {
            member: config.member,
            name: config.members.iter().find(|m| m.id == config.member).map(|m| m.name.clone()).unwrap_or_default(),
            last_log: last.index(),
            last_term: term_of(&last),
            committed: committed.map_or(0, |id| id.index()).max(applied),
            revision,
            next_revision: begins.revision,
            next_epoch: begins.epoch,
            ..RecoverPlan::default()
        };
        let mut this = Self { offline, plan, machine, entries, last, nodes };
        match this.ask_others(config).await {
            Ok(()) => Ok(this),
            Err(error) => {
                this.close().await?;
                Err(error)
            }
        }
    }

    async fn read(
        offline: &mut Offline,
        loaded: crate::disk::Loaded,
    ) -> Result<Option<(StateMachine, Vec<AppliedEntry>, LogId)>, StoreError> {
        let published = Arc::new(Published::new(&loaded));
        let mut next = loaded.progress.applied.map_or(0, |id| id.index() + 1);
        let mut last = loaded.progress.applied;
        let mut machine = StateMachine::new(loaded, published, offline.disk.clone(), offline.log.metrics());
        let mut entries = Vec::new();
        let mut reader = offline.log.get_log_reader().await;
        let end = offline.log.last_index().map_or(0, |index| index + 1);
        while next < end {
            let read = reader.limited_get_log_entries(next, end).await.map_err(storage)?;
            if read.is_empty() {
                return Err(StoreError::Storage(format!(
                    "the log does not hold entry {next}, which the state needs: this member cannot be recovered from"
                )));
            }
            for entry in read {
                last = Some(entry.log_id);
                next = entry.log_id.index() + 1;
                entries.push(machine.execute(entry).map_err(storage)?);
            }
        }
        Ok(last.map(|last| (machine, entries, last)))
    }

    /// Refuses when the others could go on by themselves, or with this member.
    async fn ask_others(&mut self, config: &StoreConfig) -> Result<(), StoreError> {
        let voters: Vec<u64> = self.machine.membership().voter_ids().collect();
        let lineage = lineage::read(&*self.offline.tree).map_err(storage)?;
        let transport = &*self.offline.transport;
        let others = voters.iter().filter(|id| **id != config.member);
        let asked = others.filter_map(|id| self.nodes.get(id).map(|node| (*id, node))).map(|(id, node)| async move {
            let asked = async { transport.peer(id, node)?.identity(config.member, PATIENCE).await };
            let answers =
                matches!(asked.await, Ok(Identity { last_log: Some(_), lineage: theirs, .. }) if theirs == lineage);
            (id, node.clone(), answers)
        });
        let asked = futures::future::join_all(asked).await;
        self.plan.given_up = asked.iter().map(|(id, node, _)| (*id, node.name.clone(), node.address.clone())).collect();
        self.plan.answering =
            asked.into_iter().filter(|(.., answers)| *answers).map(|(_, node, _)| node.name).collect();
        let (answering, needed) = (self.plan.answering.len(), voters.len() / 2 + 1);
        if answering + 1 >= needed && voters.len() > 1 {
            return Err(StoreError::Storage(format!(
                "{} of {} voters answer ({}), and {needed} are a quorum with this one: nothing is lost; start this master \
                 instead",
                answering,
                voters.len(),
                self.plan.answering.join(", ")
            )));
        }
        Ok(())
    }

    /// What it would do.
    pub fn planned(&self) -> &RecoverPlan {
        &self.plan
    }

    /// Leaves everything as it is.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn close(self) -> Result<(), StoreError> {
        let Self { offline, machine, .. } = self;
        drop(machine);
        offline.close().await
    }

    /// Does it. When it is broken off, doing it again completes it.
    ///
    /// # Errors
    /// The disk fails.
    pub fn carry_out(self) -> BoxFuture<'static, Result<RecoverPlan, StoreError>> {
        self.carried_out().boxed()
    }

    async fn carried_out(mut self) -> Result<RecoverPlan, StoreError> {
        let done = self.write().await;
        let plan = self.plan.clone();
        let closed = self.close().await;
        done?;
        closed.map(|()| plan)
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        // First of all: from here on no member of before talks with this one, whatever else is done.
        lineage::write(&*self.offline.tree, lineage::draw()).map_err(storage)?;
        let membership = self.alone()?;
        let given_up = self.plan.given_up.iter().filter_map(|(id, ..)| Some((*id, self.nodes.get(id)?)));
        let records =
            to_vote(given_up).map_err(|error| StoreError::Storage(format!("the members' records: {error}")))?;
        let (revision, epoch) = (self.plan.next_revision, self.plan.next_epoch);
        let begun = self.machine.begin_epoch(revision, epoch, records, membership);
        let mut entries = std::mem::take(&mut self.entries);
        entries.push(begun);
        let progress: Progress = self.machine.progress();
        self.offline.disk.applied(entries, progress).await.map_err(storage)?;
        drop(self.offline.disk.snapshot().await.map_err(storage)?);
        self.offline.log.purge_durably(self.last).await.map_err(storage)
    }

    /// This member votes, all others learn.
    fn alone(&self) -> Result<Membership, StoreError> {
        let voters = vec![[self.plan.member].into()];
        let membership = openraft::Membership::new(voters, self.nodes.clone())
            .map_err(|error| StoreError::Storage(format!("the membership: {error}")))?;
        Ok(Membership::new(Some(self.last), membership))
    }
}

fn empty(config: &StoreConfig) -> StoreError {
    StoreError::Storage(format!("data directory {} holds nothing to recover", config.data_dir.display()))
}
