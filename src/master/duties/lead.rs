//! Starts the duties when this member leads and stops them when it no longer does.

use crate::backups::ScheduledBackups;
use crate::duties::ready::ReadyClient;
use crate::duties::{ApiExecutor, kubernetes, views::StoreViews};
use crate::nodes::LeaderMemory;
use raftsman_api::config::HostConfig;
use raftsman_api::fencing::FencingRule;
use raftsman_apiserver::write::{Api, Caller};
use raftsman_controllers::{HeartbeatTable, Limits, Runner, Settings, SystemClock};
use raftsman_store::border::Members;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long Events are kept (upstream: `--event-ttl`).
const EVENT_TTL: Duration = Duration::from_secs(3600);
/// Ended pods kept (upstream: `--terminated-pod-gc-threshold`).
const TERMINATED_PODS: usize = 12_500;

/// Duties that ended by themselves (a panic) begin again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// What the duties of every leadership need.
pub struct Duties {
    /// The write path.
    pub api: Arc<Api>,
    /// Where nodes' signs of life end.
    pub memory: Arc<LeaderMemory>,
    /// The cluster.
    pub config: HostConfig,
    /// The authority's certificate, published in every namespace.
    pub ca: String,
    /// The masters.
    pub members: watch::Receiver<Arc<Members>>,
    /// Asks masters whether they are ready.
    pub ready: ReadyClient,
    /// Backups that the leader makes by itself, if it is to.
    pub backups: Option<ScheduledBackups>,
}

impl Duties {
    /// Follows the leadership until `shutdown` fires.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut leadership = self.api.store().leadership();
        loop {
            let leading = leadership.borrow_and_update().leading;
            let over = shutdown.child_token();
            let mut work = JoinSet::new();
            if let Some(term) = leading {
                tracing::info!(term, "leading: scheduler and controllers start");
                // Begun and ended by this task alone: a table that outlives its leadership would swallow heartbeats.
                let (heartbeats, clock) = self.memory.begin(term);
                work.spawn(self.clone().lead(term, clock, heartbeats, over.clone()));
            }
            let goes_on = loop {
                tokio::select! {
                    biased; // A stop ends the duties too, and is no failure of theirs.
                    () = shutdown.cancelled() => break false,
                    changed = leadership.changed() => if changed.is_err() { break false },
                    Some(ended) = work.join_next() => {
                        tracing::error!(?ended, "scheduler and controllers ended while this member leads: again");
                        self.memory.end();
                        break tokio::time::timeout(AGAIN, shutdown.cancelled()).await.is_err();
                    }
                }
                if leadership.borrow().leading != leading {
                    break true;
                }
            };
            over.cancel();
            self.memory.end();
            work.shutdown().await;
            if let Some(term) = leading {
                tracing::info!(term, "leading no more: scheduler and controllers stopped");
            }
            if !goes_on {
                return;
            }
        }
    }

    async fn lead(
        self: Arc<Self>,
        term: u64,
        clock: Arc<SystemClock>,
        heartbeats: Arc<HeartbeatTable>,
        over: CancellationToken,
    ) {
        let caller = Caller::duty("system:serviceaccount:kube-system:bootstrap", "raftsman", term);
        while let Err(status) = raftsman_apiserver::bootstrap(&self.api, &caller).await {
            tracing::warn!(%status, "the first objects could not be made; trying again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let settings = Settings {
            ca_pem: self.ca.clone(),
            heartbeats,
            node_grace: Duration::from_secs(self.config.timing.node_grace_seconds.into()),
            pod_cidr: self.config.network.pod_cidr,
            node_prefix: self.config.network.node_prefix,
            fencing: FencingRule::of(&self.config),
            event_ttl: EVENT_TTL,
            terminated_pods: TERMINATED_PODS,
        };
        let mut controllers = raftsman_controllers::all(settings);
        controllers.push(Arc::new(raftsman_scheduler::SchedulerDriver::default()));
        let views = Arc::new(StoreViews(self.api.store().clone()));
        let executor = Arc::new(ApiExecutor::new(self.api.clone(), Some(term)));
        let runner = Runner::new(controllers, views, executor.clone(), clock.clone(), Limits::default());
        let masters = kubernetes::Masters::new(&self.config, self.members.clone(), self.ready.clone());
        let backups = async {
            if let Some(backups) = self.backups.clone() {
                backups.run(self.api.store().clone(), clock, over.clone()).await;
            }
        };
        tokio::join!(runner.run(over.clone()), masters.run(self.api.store().clone(), executor, over.clone()), backups);
    }
}
