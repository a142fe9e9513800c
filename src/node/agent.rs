//! The agent: everything above, put together.

use crate::error::AgentError;
use crate::facts::{Machine, node_object, says};
use crate::promise::{Renewals, Standing};
use crate::reconcile::{MainLoop, Shared, kept_host_ports, pod_cidr};
use crate::service::{AgentService, serve};
use crate::stream::{Cache, Client, Desired, Identity, Outbox};
use crate::world::World;
use jiff::Timestamp;
use parking_lot::RwLock;
use raftsman_api::config::{HostConfig, promise_page};
use raftsman_api::fencing::FencingRule;
use raftsman_network::border::Network;
use raftsman_network::{LinuxConfig, LinuxNetwork};
use raftsman_runtime::border::{Images, Pods};
use raftsman_runtime::{ImageStore, ImageStoreConfig, LocalPods, PodsConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CGROUP: &str = "/raftsman";
/// Images come and go without a word; the node's list of them follows within this time.
const IMAGES: Duration = Duration::from_secs(60);
/// A report on the node that has not come back as it was said is said again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// A node that the masters know serves while its agent begins again: the network has so long to be looked at first.
const SETTLE: Duration = Duration::from_secs(3);

/// The rooms that the agent stands on.
#[derive(Clone)]
pub struct Doors {
    /// Containers.
    pub pods: Arc<dyn Pods>,
    /// Images.
    pub images: Arc<dyn Images>,
    /// The machine's network.
    pub network: Arc<dyn Network>,
}

/// The node agent.
pub struct Agent;

impl Agent {
    /// Runs on this machine's runtime and network until `shutdown`. Pods go on after it.
    ///
    /// # Errors
    /// The machine or the configuration is not fit; says what to do.
    pub async fn run(config: HostConfig, shutdown: CancellationToken) -> Result<(), AgentError> {
        let doors = Self::doors(&config).await?;
        Self::run_with(config, doors, shutdown).await
    }

    async fn doors(config: &HostConfig) -> Result<Doors, AgentError> {
        let state = config.data_dir.join("node");
        make(&state)?;
        let problems = raftsman_runtime::preflight(&state);
        if !problems.is_empty() {
            return Err(AgentError::Preflight(problems.join("; ")));
        }
        let root = config.image_dir.clone().unwrap_or_else(|| config.data_dir.join("images"));
        let images =
            ImageStore::open(ImageStoreConfig { root, insecure_registries: config.insecure_registries.clone() })?;
        let group = config.cgroup_parent.clone().unwrap_or_else(|| CGROUP.to_owned());
        let promise_page = promise_page(&state);
        let pods = PodsConfig { promise_page, ..PodsConfig::new(state, group) };
        let pods = LocalPods::new(pods, images.clone()).await?;
        let network = LinuxNetwork::new(LinuxConfig::default()).await?;
        Ok(Doors { pods: Arc::new(pods), images: Arc::new(images), network: Arc::new(network) })
    }

    /// Runs on these rooms until `shutdown`.
    ///
    /// # Errors
    /// Certificates are missing, the port is in use.
    pub async fn run_with(config: HostConfig, doors: Doors, shutdown: CancellationToken) -> Result<(), AgentError> {
        let cluster = config.network.resolver().ok_or_else(|| {
            AgentError::Preflight(format!(
                "network.serviceCidr {} has no room for a resolver: make it larger",
                config.network.service_cidr
            ))
        })?;
        let identity = Identity::load(&config.pki.dir)?;
        let state = config.data_dir.join("node");
        make(&state)?;
        let world = Arc::new(RwLock::new(World::default()));
        let (teller, told) = mpsc::unbounded_channel();
        let desired = Desired::new(Cache::open(state.join("desired"))?, Arc::clone(&world), teller);
        let outbox = Arc::new(Outbox::default());
        let masters =
            config.masters.iter().map(|master| SocketAddr::new(master.address, config.ports.peer).to_string());
        let rule = FencingRule::of(&config);
        let (row, standing) = watch::channel(Standing { epoch: doors.pods.promise().epoch, term: 0 });
        let known: Arc<RwLock<Vec<String>>> = Arc::default();
        let renewals = Renewals {
            identity: identity.clone(),
            cluster_id: config.cluster_id.clone(),
            node: config.name.clone(),
            masters: Arc::clone(&known),
            pods: Arc::clone(&doors.pods),
            most: rule.deadline,
            standing: row,
        };
        let client = Client {
            identity: identity.clone(),
            cluster_id: config.cluster_id.clone(),
            node: config.name.clone(),
            masters: masters.collect(),
            outbox: Arc::clone(&outbox),
            desired,
            standing: standing.clone(),
            known,
        };
        let address = SocketAddr::new(config.address, config.ports.node);
        let shared = Arc::new(Shared {
            machine: Machine::look(&state),
            cluster_dns: cluster,
            network_ready: watch::Sender::new(false),
            network_problem: watch::Sender::new(None),
            host_ports: watch::Sender::new(kept_host_ports(doors.pods.as_ref(), &world).await),
            slots: Shared::slots(),
            own_node: Notify::new(),
            rule,
            standing,
            told: watch::Sender::new(0),
            pods: Arc::clone(&doors.pods),
            images: Arc::clone(&doors.images),
            network: doors.network,
            world,
            outbox,
            config,
        });
        let stop = shutdown.child_token();
        let service = AgentService { pods: doors.pods, images: doors.images };
        let served = serve(service, &identity, address, stop.clone()).await?;
        renewals.start(stop.clone())?;
        let (main_loop, networking) = MainLoop::new(Arc::clone(&shared), told);
        let mut tasks = JoinSet::new();
        tasks.spawn(served);
        tasks.spawn(networking);
        tasks.spawn(tell_node(shared, identity.end()));
        let stream = tokio::spawn(client.run(stop.clone()));
        main_loop.run(stop.clone()).await;
        // The stream first writes down where it stands.
        stop.cancel();
        let _ = stream.await;
        tasks.shutdown().await;
        Ok(())
    }
}

fn make(dir: &std::path::Path) -> Result<(), AgentError> {
    std::fs::create_dir_all(dir).map_err(|error| AgentError::file(dir, error))
}

/// Keeps the masters' picture of this node true.
async fn tell_node(shared: Arc<Shared>, certificate_end: Option<Timestamp>) {
    let mut network = shared.network_ready.subscribe();
    let mut problem = shared.network_problem.subscribe();
    // "Not ready", though only for a moment, would have all its pods evicted.
    let known = shared.world.read().node(&shared.config.name).is_some_and(|node| pod_cidr(node).is_some());
    if known {
        let _ = tokio::time::timeout(SETTLE, network.wait_for(|ready| *ready)).await;
    }
    let mut since = Timestamp::now();
    let mut before = *network.borrow();
    loop {
        let ready = *network.borrow_and_update();
        if std::mem::replace(&mut before, ready) != ready {
            since = Timestamp::now();
        }
        let images = shared.images.list().await.unwrap_or_default();
        let why = problem.borrow_and_update().clone();
        let network_state = if ready { Ok(()) } else { Err(why.as_deref()) };
        let node = node_object(&shared.config, &shared.machine, &images, network_state, since, certificate_end);
        match serde_json::to_vec(&node) {
            Ok(json) => shared.outbox.node(json.into()),
            Err(error) => tracing::error!(%error, "the node's object cannot be written"),
        }
        let held = shared.world.read().node(&shared.config.name).cloned();
        let told = held.is_some_and(|held| says(&held, &node));
        tokio::select! {
            changed = network.changed() => if changed.is_err() { return },
            Ok(()) = problem.changed() => {}
            () = shared.own_node.notified() => {}
            () = tokio::time::sleep(if told { IMAGES } else { AGAIN }) => if !told { shared.outbox.node_again() },
        }
    }
}
