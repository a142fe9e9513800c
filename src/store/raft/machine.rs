//! The state machine: applies committed entries to the state in memory, publishes it, hands it to the disk.

use crate::border::StoreError;
use crate::codec::decode;
use crate::disk::{AppliedEntry, Disk, Loaded, Progress, SnapshotDir};
use crate::metrics::Metrics;
use crate::raft::Reached;
use crate::raft::types::{LogId, Membership, Snapshot, SnapshotMeta, TypeConfig, term_of};
use crate::rt::{self, Instant};
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use parking_lot::{Mutex, RwLock};
use raftsman_state::{Op, State, Txn, View, level};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// Applying lets others on the Raft thread have their turn after so long: heartbeats do not wait for a large batch.
const TURN: Duration = Duration::from_millis(2);

/// What everyone else sees of the state machine.
pub(crate) struct Published {
    view: RwLock<View>,
    /// The newest revision whose view is published.
    pub(crate) revision: watch::Sender<u64>,
    /// The newest log index whose effects are published.
    pub(crate) applied: Reached,
}

impl Published {
    pub(crate) fn new(loaded: &Loaded) -> Self {
        let view = loaded.state.view();
        Self {
            revision: watch::Sender::new(view.revision()),
            applied: Reached::new(loaded.progress.applied.map(|id| id.index())),
            view: RwLock::new(view),
        }
    }

    pub(crate) fn view(&self) -> View {
        self.view.read().clone()
    }

    fn publish(&self, view: View, applied: Option<u64>) {
        let revision = view.revision();
        let old = std::mem::replace(&mut *self.view.write(), view);
        self.revision.send_if_modified(|now| std::mem::replace(now, revision) != revision);
        self.applied.advance(applied);
        drop(old);
    }
}

/// See the module.
pub(crate) struct StateMachine {
    state: State,
    applied: Option<LogId>,
    membership: Arc<Membership>,
    published: Arc<Published>,
    disk: Disk,
    current: Arc<Mutex<Option<Snapshot>>>,
    metrics: Arc<Metrics>,
    level: u32,
    too_old: Box<dyn Fn(StoreError) + Send + Sync>,
}

impl StateMachine {
    pub(crate) fn new(loaded: Loaded, published: Arc<Published>, disk: Disk, metrics: Arc<Metrics>) -> Self {
        let Loaded { state, progress } = loaded;
        Self {
            state,
            applied: progress.applied,
            membership: progress.membership,
            published,
            disk,
            current: Arc::new(Mutex::new(None)),
            metrics,
            level: level::LEVEL,
            too_old: Box::new(|_| {}),
        }
    }

    /// For a program of this level, and told when the cluster's comes to be above it.
    pub(crate) fn of_level(self, level: u32, too_old: impl Fn(StoreError) + Send + Sync + 'static) -> Self {
        Self { level, too_old: Box::new(too_old), ..self }
    }

    /// Refuses a view that only newer programs know how to go on from: what this one made of the next entry would differ from
    /// what they make of it.
    fn check_level(&self, view: &View) -> io::Result<()> {
        let (needed, own) = (level::cluster_level(view), self.level);
        if needed <= own {
            return Ok(());
        }
        let error = StoreError::TooOld { needed, own };
        (self.too_old)(error.clone());
        Err(io::Error::new(io::ErrorKind::Unsupported, error.to_string()))
    }

    /// What it holds.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The members as of the newest entry that was applied.
    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        Progress::of(&self.state, self.applied, &self.membership)
    }

    /// Writes something and begins an epoch with other members, outside of the log: only where no member runs.
    pub(crate) fn begin_epoch(
        &mut self,
        revision: u64,
        epoch: u64,
        mut ops: Vec<Op>,
        membership: Membership,
    ) -> AppliedEntry {
        self.membership = Arc::new(membership);
        ops.push(Op::BeginEpoch { revision, epoch });
        let txn = Txn { ops, ..Txn::default() };
        AppliedEntry { applied: self.state.apply(self.state.view().term(), &txn), origin: None }
    }

    /// Applies one entry, which must be the next.
    pub(crate) fn execute(
        &mut self,
        entry: openraft::Entry<
            crate::raft::types::of::CommittedLeaderIdOf<TypeConfig>,
            crate::raft::types::of::PayloadOf<TypeConfig>,
        >,
    ) -> io::Result<AppliedEntry> {
        let next = self.applied.map_or(0, |applied| applied.index() + 1);
        if entry.log_id.index() != next {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("log entry {} came to be applied where {next} is due", entry.log_id.index()),
            ));
        }
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Ok(AppliedEntry::default()),
            EntryPayload::Membership(membership) => {
                self.membership = Arc::new(Membership::new(Some(entry.log_id), membership));
                Ok(AppliedEntry::default())
            }
            EntryPayload::Normal(command) => {
                let txn: Txn = decode(&command.0).map_err(|error| {
                    let index = entry.log_id.index();
                    io::Error::new(
                        error.kind(),
                        format!("log entry {index} is of a form that this version does not know: {error}"),
                    )
                })?;
                let applied = self.state.apply(term_of(&entry.log_id), &txn);
                // The level is an object without a namespace, as few of those are that change often.
                if applied.changes.iter().any(|change| change.key().namespace().is_empty()) {
                    self.check_level(&self.state.view())?;
                }
                Ok(AppliedEntry { applied, origin: txn.origin })
            }
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotDir;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        Ok((self.applied, (*self.membership).clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut done = Vec::new();
        let mut answers = Vec::new();
        let started = Instant::now();
        let mut turn = started;
        while let Some((entry, responder)) = entries.try_next().await? {
            if turn.elapsed() > TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            let applied = self.execute(entry)?;
            if let Some(responder) = responder {
                answers.push((responder, applied.applied.outcome.clone()));
            }
            done.push(applied);
        }
        self.published.publish(self.state.view(), self.applied.map(|id| id.index()));
        for (responder, outcome) in answers {
            responder.send(outcome);
        }
        self.metrics.apply.observe(started.elapsed());
        self.metrics.applied.fetch_add(done.len() as u64, Ordering::Relaxed);
        self.disk.applied(done, self.progress()).await
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        Builder { disk: self.disk.clone(), current: self.current.clone(), metrics: self.metrics.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotDir) -> Result<(), io::Error> {
        let (loaded, current) = self.disk.install(snapshot).await?;
        if loaded.progress.applied != meta.last_log_id {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the snapshot is not at the log id it claims"));
        }
        self.check_level(&loaded.state.view())?;
        self.applied = loaded.progress.applied;
        self.membership = loaded.progress.membership;
        let replaced = std::mem::replace(&mut self.state, loaded.state);
        *self.current.lock() = Some(Snapshot { meta: current.meta, snapshot: current.directory });
        self.published.publish(self.state.view(), self.applied.map(|id| id.index()));
        // Freeing a large map takes longer than an election.
        rt::spawn(rt::blocking(move || drop(replaced)));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(self.current.lock().clone())
    }
}

/// Builds snapshots beside the running state machine.
pub(crate) struct Builder {
    disk: Disk,
    current: Arc<Mutex<Option<Snapshot>>>,
    metrics: Arc<Metrics>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotDir;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let started = Instant::now();
        let current = self.disk.snapshot().await?;
        self.metrics.snapshot.observe(started.elapsed());
        let snapshot = Snapshot { meta: current.meta, snapshot: current.directory };
        *self.current.lock() = Some(snapshot.clone());
        Ok(snapshot)
    }
}
