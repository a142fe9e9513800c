//! The store of a master process.

mod begin;
#[cfg(test)]
mod fault_tests;
mod open;
mod parts;
mod served;

pub(crate) use open::Opened;
use parts::Parts;

use crate::alarm::Alarm;
use crate::border::{Change, ChangeError, Changed, Members, StoreError};
use crate::config::{PeerTls, StoreConfig};
use crate::disk::Disk;
use crate::environment::Environment;
use crate::files::DirectoryLock;
use crate::lineage;
use crate::member::{
    Admission, Core, Forwarding, Lease, ReadGate, compact_history, compact_log, serve_forwarding, serve_reads,
    tend_members, watch_disk, watch_health,
};
use crate::peers::{Door, PeerPort, PeersService, grpc};
use crate::raft::config::{Timing, raft_config};
use crate::raft::{Published, StateMachine};
use crate::register::keep_register;
use crate::rt::{self, Runner, Worker};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use raftsman_proto::v1::peers_server::PeersServer;
use raftsman_state::level;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Routes;

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
        config.check().map_err(StoreError::Storage)?;
        let lock = DirectoryLock::take(&config.data_dir).map_err(storage)?;
        let environment = Environment::real(&config)?;
        let store = Self::open_in(config, environment).await?;
        *store.lock.lock() = Some(lock);
        Ok(store)
    }

    /// Opens a member in its environment. Boxed, as all that runs Raft: else whoever calls it compiles it again.
    pub(crate) fn open_in(
        config: StoreConfig,
        environment: Environment,
    ) -> BoxFuture<'static, Result<Arc<Self>, StoreError>> {
        Self::opened(config, environment).boxed()
    }

    async fn opened(config: StoreConfig, environment: Environment) -> Result<Arc<Self>, StoreError> {
        config.check().map_err(StoreError::Storage)?;
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

        let own = || Arc::downgrade(&core);
        let parts = Parts { runner: &runner, core: &core };
        parts.start("linearizable reads", serve_reads(own(), readers));
        parts.start("forwarding", serve_forwarding(own(), forwards));
        parts.start("Raft", begin::run(core.clone(), Arc::new(raft_config), log, machine, tree.clone()));
        parts.start("the watch over storage", end_when_failed(own(), core.alarm.clone()));
        parts.start("the watch over health", watch_health(own()));
        parts.start("the watch over the disk", watch_disk(own()));
        parts.start("the compaction of histories", compact_history(own()));
        parts.start("the compaction of the log", compact_log(own(), tree, segment_bytes));
        parts.start("the care for the members", tend_members(own()));
        if let Some(register) = core.config.register.clone() {
            parts.start("the register of the members", keep_register(own(), register));
        }
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

    /// Serves the peer port: Raft's own service, and these. At once after opening: members with empty disks wait for it.
    ///
    /// # Errors
    /// The certificates cannot be used, or the system gives no threads.
    pub fn serve_peers(&self, listener: TcpListener, tls: &PeerTls, services: Routes) -> std::io::Result<PeerPort> {
        let Some(raft) = self.runner.handle() else {
            return Err(std::io::Error::other("a simulated member has no port"));
        };
        PeerPort::serve(listener, tls, services, self.peers_service(), raft)
    }

    /// Changes the members, if this one leads; others are asked instead. One change at a time, each only when the voters
    /// that answer would still be more than half afterwards; the leader hands over first when it is the one that goes. A
    /// change goes on when its caller goes away, and the next leader ends what this one has begun.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change_members(&self, change: Change) -> BoxFuture<'_, Result<Changed, ChangeError>> {
        self.core.change_members(change).boxed()
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
    pub fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.stop().boxed()
    }

    async fn stop(&self) {
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
            if self.core.alarm.reason().is_none() {
                writer.ended().await;
            } else if rt::timeout(STOPPING, writer.ended()).await.is_err() {
                tracing::warn!("the disk does not answer: what waits for it is given up");
            }
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
    pub fn hand_over(&self) -> BoxFuture<'_, ()> {
        self.give_away().boxed()
    }

    async fn give_away(&self) {
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
