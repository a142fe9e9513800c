//! The store of a master process.

use crate::alarm::Alarm;
use crate::border::{
    Change, ChangeError, Changed, Health, Leadership, MemberStatus, Members, Store, StoreError, StoreStatus,
};
use crate::config::StoreConfig;
use crate::disk::{self, Directory, Disk, Engines};
use crate::environment::Environment;
use crate::files::{DirectoryLock, MEND, Tree};
use crate::lineage;
use crate::log::{LogOptions, LogStorage, OpenLog};
use crate::member::bootstrap::{self, Start};
use crate::member::{
    Admission, Core, Forwarding, Lease, ReadGate, compact_history, follow_leadership, serve_forwarding, serve_reads,
    tend_members, watch_health,
};
use crate::peers::{Door, Factory, PeersService, grpc};
use crate::raft::config::{Timing, raft_config};
use crate::raft::types::of::SerdeInstantOf;
use crate::raft::types::{Member, Raft, TypeConfig};
use crate::raft::{Published, StateMachine};
use crate::rt::{self, Instant, Runner, Worker};
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use raftsman_proto::v1::peers_server::PeersServer;
use raftsman_state::{Outcome, Txn, View, level};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tonic::metadata::{Ascii, MetadataValue};

/// One member of the replicated store. See the crate for how to use it.
pub struct RaftStore {
    core: Arc<Core>,
    cluster: MetadataValue<Ascii>,
    runner: Arc<Runner>,
    disk: Mutex<Option<Disk>>,
    writers: Mutex<Vec<Worker>>,
    lock: Mutex<Option<DirectoryLock>>,
}

/// How long Raft is given to stop by itself.
const STOPPING: Duration = Duration::from_secs(5);

impl RaftStore {
    /// Opens the data directory, loads the state and starts the member. A leader need not be known when it returns.
    ///
    /// # Errors
    /// A setting is wrong, or the data directory cannot be read or belongs to another member.
    pub async fn open(config: StoreConfig) -> Result<Arc<Self>, StoreError> {
        check(&config)?;
        let lock = DirectoryLock::take(&config.data_dir).map_err(storage)?;
        let environment = Environment::real(&config)?;
        let store = Self::open_in(config, environment).await?;
        *store.lock.lock() = Some(lock);
        Ok(store)
    }

    /// Opens a member in its environment.
    pub(crate) async fn open_in(config: StoreConfig, environment: Environment) -> Result<Arc<Self>, StoreError> {
        check(&config)?;
        let cluster = grpc::cluster(&config.cluster_id).map_err(StoreError::Storage)?;
        let raft_config = raft_config(&config).map_err(|error| StoreError::Storage(error.to_string()))?;
        let Environment { runner, transport, tree, engines, segment_bytes } = environment;
        let runner = Arc::new(runner);
        let root = tree.clone();
        let lineage = rt::blocking(move || lineage::read(&*root)).await.map_err(storage)?.map_err(storage)?;
        transport.set_lineage(lineage);
        let (settings, threads, root) = (config.clone(), runner.clone(), tree.clone());
        let alarm = Alarm::new();
        let raised = alarm.clone();
        let opened = rt::blocking(move || Opened::open(&settings, root, engines, &threads, segment_bytes, &alarm))
            .await
            .map_err(storage)??;
        let Opened { directory, log, log_thread, disk, loaded, disk_thread } = opened;

        let published = Arc::new(Published::new(&loaded));
        let (needed, own) = (level::cluster_level(&published.view()), config.level);
        if needed > own {
            return Err(StoreError::TooOld { needed, own });
        }
        let metrics = log.metrics();
        let lease = Arc::new(Lease::new(Timing::of(config.profile), config.lease_reads));
        let forwarded = Admission::new(config.max_proposals, config.max_proposal_bytes);
        let door =
            Door::new(directory, log.clone(), forwarded, published.clone(), lease.clone(), metrics.clone(), lineage);
        let (reads, readers) = ReadGate::new();
        let (forwarding, forwards) = Forwarding::new();
        let machine = StateMachine::new(loaded, published.clone(), disk.clone(), metrics.clone());
        let core = Core::new(config, transport, published, Arc::new(door), reads, raised, forwarding, lease, metrics);
        let core = Arc::new(core);

        runner.spawn(serve_reads(Arc::downgrade(&core), readers));
        runner.spawn(serve_forwarding(Arc::downgrade(&core), forwards));
        runner.spawn(run(core.clone(), Arc::new(raft_config), log, machine, tree));
        runner.spawn(end_when_failed(Arc::downgrade(&core), core.alarm.clone()));
        runner.spawn(watch_health(Arc::downgrade(&core)));
        runner.spawn(compact_history(Arc::downgrade(&core)));
        runner.spawn(tend_members(Arc::downgrade(&core)));
        Ok(Arc::new(Self {
            core,
            cluster,
            runner,
            disk: Mutex::new(Some(disk)),
            writers: Mutex::new(vec![log_thread, disk_thread]),
            lock: Mutex::default(),
        }))
    }

    /// The gRPC service for the peer port, for a server with mutual TLS. It admits masters only.
    pub fn peers_service(&self) -> PeersServer<PeersService> {
        PeersService::new(self.core.door.clone(), self.cluster.clone()).into_server()
    }

    /// Changes the members, if this one leads; others are asked instead. One change at a time, each only when the voters
    /// that answer would still be more than half afterwards; the leader hands over first when it is the one that goes. A
    /// change goes on when its caller goes away, and the next leader ends what this one has begun.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change_members(&self, change: Change) -> Result<Changed, ChangeError> {
        self.core.change_members(change).await
    }

    /// The members, as this one has heard of them.
    pub fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.core.members.subscribe()
    }

    /// Where other members' requests come in, for a transport in the same process.
    pub(crate) fn door(&self) -> Arc<Door> {
        self.core.door.clone()
    }

    /// Why this member serves no more; `None` while it does. [`StoreError::Storage`] should end the process.
    pub fn ended(&self) -> watch::Receiver<Option<StoreError>> {
        self.core.ended.subscribe()
    }

    /// Hands leadership over if this member leads, stops, and flushes everything; the data directory is free afterwards.
    pub async fn shutdown(&self) {
        self.hand_over().await;
        if let Some(raft) = self.core.raft.get() {
            self.core.end(StoreError::Closed);
            let raft = raft.clone();
            // On its own runtime: its tasks live there.
            let stopping = self.runner.spawn(async move { raft.shutdown().await });
            match rt::timeout(STOPPING, stopping).await {
                Ok(Ok(Err(error))) => tracing::warn!(%error, "Raft did not stop cleanly"),
                Ok(_) => {}
                // After storage failed under it, it may wait for what never comes; its runtime ends it all the same.
                Err(_) => tracing::warn!("Raft did not stop within {} s", STOPPING.as_secs()),
            }
        }
        let (stop, writers) = self.release();
        if rt::blocking(stop).await.is_err() {
            tracing::error!("a thread of the store panicked while it stopped");
        }
        for writer in writers {
            writer.ended().await;
        }
        self.lock.lock().take();
    }

    /// Ends service; gives what blocks until all tasks have ended, and the threads, which end once they have written everything.
    fn release(&self) -> (impl FnOnce() + Send + 'static, Vec<Worker>) {
        self.core.end(StoreError::Closed);
        self.core.door.close();
        let disk = self.disk.lock().take();
        let writers: Vec<Worker> = self.writers.lock().drain(..).collect();
        let stop = self.runner.stop();
        let release = move || {
            stop();
            drop(disk);
        };
        (release, writers)
    }

    /// If this member leads, gives leadership to the voter that is nearest, and waits until it has it.
    pub async fn hand_over(&self) {
        // What has ended leads nobody.
        if let (Some(raft), Ok(())) = (self.core.raft.get(), self.core.check()) {
            self.core.hand_over_to_nearest(raft).await;
        }
    }

    /// Ends this member without a word to the others, as a crash would. Blocks until the data directory is free again. For
    /// tests.
    #[doc(hidden)]
    pub fn crash(&self) {
        let (stop, writers) = self.release();
        stop();
        for writer in writers {
            writer.join();
        }
        self.lock.lock().take();
    }
}

/// What opening the data directory gives.
pub(crate) struct Opened {
    pub(crate) directory: Arc<Directory>,
    pub(crate) log: LogStorage,
    pub(crate) log_thread: Worker,
    pub(crate) disk: Disk,
    pub(crate) loaded: disk::Loaded,
    pub(crate) disk_thread: Worker,
}

impl Opened {
    pub(crate) fn open(
        config: &StoreConfig,
        tree: Arc<dyn Tree>,
        engines: Arc<dyn Engines>,
        runner: &Arc<Runner>,
        segment_bytes: u64,
        alarm: &Alarm,
    ) -> Result<Self, StoreError> {
        let directory = Arc::new(Directory::open(tree.clone()).map_err(storage)?);
        let files = tree.directory("log").map_err(storage)?;
        let options = LogOptions::new(runner.clone(), segment_bytes);
        let opened = OpenLog::open(files, &config.cluster_id, config.member, options).map_err(storage)?;
        let (log, log_thread) = LogStorage::start(opened, config.log_cache_bytes, runner, alarm).map_err(storage)?;
        let (disk, loaded, disk_thread) = disk::start(directory.clone(), engines, runner, alarm).map_err(storage)?;
        fit(&tree.place(), &log, &loaded).map_err(StoreError::Storage)?;
        Ok(Self { directory, log, log_thread, disk, loaded, disk_thread })
    }
}

/// Whether log and state belong together: from the state on, the log must have everything.
fn fit(place: &str, log: &LogStorage, loaded: &disk::Loaded) -> Result<(), String> {
    let applied = loaded.progress.applied.map(|applied| applied.index());
    let what = match (log.purged(), applied) {
        (_, Some(applied)) if log.is_new() => {
            format!("the state is there up to log entry {applied} and the log is gone")
        }
        (Some(purged), applied) if applied.is_none_or(|applied| applied < purged) => {
            let found =
                applied.map_or_else(|| "is gone".to_owned(), |applied| format!("ends with log entry {applied}"));
            format!("the state {found} and the log begins after entry {purged}")
        }
        _ => return Ok(()),
    };
    Err(format!("{place} is damaged: {what}. {MEND}"))
}

/// Ends a member whose storage has failed.
async fn end_when_failed(core: Weak<Core>, alarm: Alarm) {
    let reason = alarm.raised().await;
    if let Some(core) = core.upgrade() {
        core.end(StoreError::Storage(reason));
    }
}

fn storage(error: std::io::Error) -> StoreError {
    StoreError::Storage(error.to_string())
}

fn check(config: &StoreConfig) -> Result<(), StoreError> {
    let wrong = |what: String| Err(StoreError::Storage(format!("settings of the store: {what}")));
    if config.member == 0 {
        return wrong("member id 0 is not allowed".into());
    }
    if !config.members.iter().any(|member| member.id == config.member) {
        return wrong(format!("member {} is not in its own list of members", config.member));
    }
    let ids: std::collections::BTreeSet<u64> = config.members.iter().map(|member| member.id).collect();
    if ids.len() != config.members.len() || ids.contains(&0) {
        return wrong("member ids must be unique and not 0".into());
    }
    if config.snapshot_every < 16 {
        return wrong(format!("snapshot_every {} is below 16", config.snapshot_every));
    }
    Ok(())
}

/// Starts Raft, with an empty disk after finding out how, and follows it to its end.
async fn run(
    core: Arc<Core>,
    config: Arc<openraft::Config>,
    log: LogStorage,
    machine: StateMachine,
    tree: Arc<dyn Tree>,
) {
    match start(&core, config, log, machine, tree).await {
        Ok(raft) => follow_leadership(core, raft).await,
        Err(error) => core.end(error),
    }
}

async fn start(
    core: &Arc<Core>,
    config: Arc<openraft::Config>,
    log: LogStorage,
    machine: StateMachine,
    tree: Arc<dyn Tree>,
) -> Result<Raft, StoreError> {
    let mut initialize = false;
    let mut rejoining = log.log().rejoining();
    if log.last_index().is_none() && !rejoining {
        let (begin, lineage) = bootstrap::gather(&core.config, &*core.transport, log.vote()).await;
        if lineage != core.door.lineage() {
            // Before anything of that lineage is stored.
            rt::blocking(move || lineage::write(&*tree, lineage)).await.map_err(storage)?.map_err(storage)?;
            core.transport.set_lineage(lineage);
            core.door.set_lineage(lineage);
        }
        let vote = match begin {
            Start::Initialize => {
                initialize = true;
                None
            }
            Start::Join(vote) => vote,
            Start::Removed(why) => return Err(StoreError::Removed(why)),
            Start::Rejoin(vote) => {
                tracing::warn!("the cluster exists and this member's disk is empty: it catches up before it votes");
                rejoining = true;
                vote
            }
        };
        if let Some(vote) = vote {
            log.preset_vote(vote).await.map_err(storage)?;
        }
        log.log().set_rejoining(rejoining).map_err(storage)?;
    }
    // A member that has ever had entries may have given a leader its lease and forgotten it with its last process.
    let held =
        (rejoining || log.last_index().is_some()).then(|| Instant::now() + Timing::of(core.config.profile).lease());
    let factory = Factory::new(core);
    let raft = Raft::build(core.config.member, config, factory, log.clone(), machine).await;
    let raft = raft.map_err(|error| StoreError::Storage(error.to_string()))?;
    raft.runtime_config().elect(held.is_none());
    raft.run();
    let _ = core.raft.set(raft.clone());
    core.door.open(raft.clone(), held.is_none());
    if initialize {
        let members: BTreeMap<u64, Member> =
            core.config.members.iter().map(|member| (member.id, member.into())).collect();
        // Another member may have been faster.
        if let Err(error) = raft.initialize(members).await {
            tracing::info!(%error, "the cluster is being initialized by another member");
        }
    }
    if let Some(held) = held {
        let (core, raft) = (core.clone(), raft.clone());
        rt::spawn(async move {
            rt::sleep_until(held).await;
            if !rejoining || catch_up(&core, log).await {
                raft.runtime_config().elect(true);
                core.door.allow_votes();
            }
        });
    }
    Ok(raft)
}

/// Waits until this member holds what a leader says is committed: then it may vote again.
async fn catch_up(core: &Core, log: LogStorage) -> bool {
    loop {
        match core.read().await {
            Ok(_) => break,
            Err(StoreError::Closed | StoreError::Storage(_)) => return false,
            Err(_) => {}
        }
    }
    let cleared = rt::blocking(move || log.log().set_rejoining(false)).await;
    match cleared {
        Ok(Ok(())) => {
            tracing::info!("this member has caught up: it votes again");
            return true;
        }
        Ok(Err(error)) => core.end(storage(error)),
        Err(error) => tracing::error!(%error, "the end of catching up was not stored"),
    }
    false
}

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
