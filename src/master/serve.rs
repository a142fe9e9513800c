//! Opens the store and serves: the API, peers and nodes, the leader's duties.

use crate::duties::{Duties, ReadyClient};
use crate::members::{Changer, Facts, Gate, MemberOperations, MembershipService, fetch_keys};
use crate::nodes::{LeaderMemory, LeaderService, MastersService, NodeStreams, Signs};
use crate::operations::MasterOperations;
use crate::peers::Peers;
use crate::{MasterError, Pems, ScheduledBackups, level, vip};
use raftsman_api::config::{HostConfig, MasterAddress, RaftProfile};
use raftsman_api::fencing::FencingRule;
use raftsman_apiserver::write::Api;
use raftsman_apiserver::{ApiConfig, BackupSource, NodeClients, NodeTls, Server, ServerError, TlsPems};
use raftsman_network::LinkAddress;
use raftsman_network::border::SendFrame;
use raftsman_proto::v1::leader_server::LeaderServer;
use raftsman_proto::v1::masters_server::MastersServer;
use raftsman_proto::v1::membership_server::MembershipServer;
use raftsman_state::level::LEVEL;
use raftsman_store::border::StoreError;
use raftsman_store::{MemberAddress, PeerTls, Profile, RaftStore, Register, StoreConfig};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The virtual address's clients have so long to finish what they asked before the leadership is handed over.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Runs this host's master until `shutdown` fires: nobody new comes by the virtual address, leadership is handed over (and
/// the address with it), answers under way are finished, and last the store stops. `send` announces the virtual address, and
/// `urgent` is the store's ([`StoreConfig::urgent`]).
///
/// # Errors
/// What keeps it from running, or ended it.
pub async fn run(
    config: HostConfig,
    shutdown: CancellationToken,
    send: SendFrame,
    urgent: fn(),
) -> Result<(), MasterError> {
    let me = own_master(&config)?;
    let pems = Pems::read(&config.pki)?;
    let api_listener = listen(config.address, config.ports.api).await?;
    let loopback = match listen(IpAddr::from([127, 0, 0, 1]), config.ports.api).await {
        _ if config.address.is_unspecified() || config.address.is_loopback() => None,
        listener => listener.ok(), // `kubernetes.default` from the host itself; another cluster's master may hold it.
    };
    let peer_listener = listen(config.address, config.ports.peer).await?;
    let virtual_listener = virtual_listener(&config)?;

    let settings = StoreConfig { urgent, ..store_config(&config, &me, &pems)? };
    let store = RaftStore::open(settings).await.map_err(|e| not_opened(&e, &config))?;
    let api = Api::new(
        store.clone(),
        ApiConfig::from_network(&config.network, &config.ports, config.timing.default_toleration_seconds),
    );

    let memory = Arc::new(LeaderMemory::new(FencingRule::of(&config).deadline));
    let signs = Signs::start(&pems, memory.clone(), store.clone(), store.members())?;
    let peers = Arc::new(Peers::new(&pems, store.members()));
    let facts = Arc::new(Facts {
        store: store.clone(),
        peers: peers.clone(),
        pems: pems.clone(),
        pki: config.pki.dir.clone(),
        data_dir: config.data_dir.clone(),
    });
    let streams = Arc::new(NodeStreams {
        api: api.clone(),
        relay: signs.relay.clone(),
        cluster_id: config.cluster_id.clone(),
        masters: store.members(),
        shutdown: shutdown.child_token(),
        work: tokio::runtime::Handle::current(),
    });
    let services = tonic::service::Routes::default()
        .add_service(LeaderServer::new(LeaderService { memory: memory.clone(), store: store.clone() }))
        .add_service(MembershipServer::new(MembershipService(facts.clone())))
        .add_service(MastersServer::new(MastersService(streams)).max_encoding_message_size(16 << 20));
    let mut peer_port = store
        .serve_peers(peer_listener, &peer_tls(&pems), services)
        .map_err(|e| MasterError::Server(format!("the peer port: {e}")))?;
    let ready = ReadyClient::new(&pems)?;
    let mut keys = JoinSet::new();
    keys.spawn(fetch_keys(config.pki.clone(), me.id, peers.clone(), store.members()));
    let duties = Duties {
        api: api.clone(),
        memory,
        config: config.clone(),
        ca: pems.ca.clone(),
        members: store.members(),
        ready,
        backups: config.backup.clone().map(|backup| ScheduledBackups::new(backup, backup_source(&config))),
    };
    let mut leading = JoinSet::new();
    leading.spawn(Arc::new(duties).run(shutdown.child_token()));

    let tls =
        TlsPems { ca: pems.ca.clone().into(), certificate: pems.cert.clone().into(), key: pems.key.clone().into() };
    let node_tls = NodeTls { ca: pems.ca.into(), certificate: pems.cert.into(), key: pems.key.into() };
    let nodes = Arc::new(NodeClients::new(node_tls));
    let changer = Changer { store: store.clone(), peers };
    let gate = Gate { api: api.clone(), changer, facts, config: config.clone() };
    let stop = is_service().then(|| shutdown.clone());
    let members = Some(MemberOperations(gate));
    let operations = Arc::new(MasterOperations { stop, members });
    let backup = backup_source(&config);
    let mut servers = JoinSet::new();
    let server = || {
        let address = SocketAddr::new(config.address, config.ports.api).to_string();
        Server::new(api.clone(), &tls, nodes.clone(), operations.clone(), address, Some(backup.clone()))
            .map_err(|e| MasterError::Server(e.to_string()))
    };
    let serving = CancellationToken::new();
    for listener in std::iter::once(api_listener).chain(loopback) {
        servers.spawn(server()?.run(listener, serving.clone()));
    }
    let mut front = None;
    if let Some((address, listener)) = virtual_listener {
        let gate = vip::Gate::of(&listener).map_err(|e| MasterError::Server(e.to_string()))?;
        let draining = CancellationToken::new();
        let mut answers = JoinSet::new();
        answers.spawn(server()?.run(listener, draining.clone()));
        let address = LinkAddress::new(address, config.address, send).await;
        let address = Arc::new(address.map_err(|e| MasterError::Config(e.to_string()))?);
        let over = CancellationToken::new();
        let mut carried = JoinSet::new();
        carried.spawn(vip::carry(store.clone(), address, over.clone()));
        front = Some(Front { gate, draining, answers, over, carried });
    }
    tracing::info!(master = me.name, id = me.id, address = %config.address, "serving");

    let mut ended = store.ended();
    let failed = tokio::select! {
        biased; // What was told to end, or ended with the store, is not the reason.
        () = shutdown.cancelled() => None,
        Ok(error) = ended.wait_for(Option::is_some) => error.as_ref().map(|error| format!("the store ended: {error}")),
        Some(ended) = servers.join_next() => Some(format!("the API server ended: {ended:?}")),
        Some(ended) = leading.join_next() => Some(format!("the leader's duties ended: {ended:?}")),
        // It ends by itself when it has them.
        Some(Err(error)) = keys.join_next() => Some(format!("fetching the cluster's keys ended: {error}")),
        () = signs.relay.ended() => Some("the relay of nodes' signs of life ended".to_owned()),
        reason = Front::ended(&mut front) => Some(reason),
        reason = peer_port.ended() => Some(format!("the peer port is served no more: {reason}")),
        reason = level::follow(store.clone(), me.id, own_level(&config)) => Some(reason),
    };
    shutdown.cancel();
    if let Some(front) = &mut front {
        front.drain().await;
    }
    store.hand_over().await;
    while leading.join_next().await.is_some() {}
    if let Some(front) = front {
        front.end().await;
    }
    serving.cancel();
    while servers.join_next().await.is_some() {}
    store.shutdown().await;
    peer_port.stop().await; // Peers were served until the leadership was handed over.
    drop(signs);
    match failed {
        Some(reason) => Err(MasterError::Server(reason)),
        None => Ok(()),
    }
}

/// What serves by the virtual address.
struct Front {
    gate: vip::Gate,
    draining: CancellationToken,
    answers: JoinSet<Result<(), ServerError>>,
    over: CancellationToken,
    carried: JoinSet<()>,
}

impl Front {
    /// Waits until a part of it has ended, which none should before the rest of the master does.
    async fn ended(front: &mut Option<Self>) -> String {
        let Some(front) = front else { return std::future::pending().await };
        tokio::select! {
            Some(ended) = front.answers.join_next() => format!("the API server at the virtual address ended: {ended:?}"),
            Some(ended) = front.carried.join_next() => format!("the virtual address is carried no more: {ended:?}"),
            else => std::future::pending().await,
        }
    }

    /// Lets nobody new in, and finishes answers under way.
    async fn drain(&mut self) {
        if let Err(error) = self.gate.close() {
            tracing::warn!(%error, "clients that come by the virtual address just now will be refused");
        }
        self.draining.cancel();
        if tokio::time::timeout(LAST_ANSWERS, self.answers.join_next()).await.is_err() {
            tracing::info!("some clients of the virtual address did not finish their requests in time");
        }
    }

    /// Takes the address away.
    async fn end(mut self) {
        self.over.cancel();
        while self.carried.join_next().await.is_some() {}
    }
}

/// The virtual address and a listener on it, unless this host listens on all its addresses anyway.
fn virtual_listener(config: &HostConfig) -> Result<Option<(IpAddr, TcpListener)>, MasterError> {
    let Some(vip) = config.vip.filter(|_| !config.address.is_unspecified()) else {
        return Ok(None);
    };
    let address = SocketAddr::new(vip, config.ports.api);
    let listener = vip::listen(address)
        .map_err(|e| MasterError::Listen { address: address.to_string(), reason: e.to_string() })?;
    Ok(Some((vip, listener)))
}

/// systemd has started this very process, and starts it again when it ends (systemd.exec, `$SYSTEMD_EXEC_PID`).
fn is_service() -> bool {
    std::env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid == std::process::id().to_string())
}

async fn listen(ip: IpAddr, port: u16) -> Result<TcpListener, MasterError> {
    let address = SocketAddr::new(ip, port);
    TcpListener::bind(address)
        .await
        .map_err(|e| MasterError::Listen { address: address.to_string(), reason: e.to_string() })
}

/// What this host does of what its program can.
fn own_level(config: &HostConfig) -> u32 {
    config.level_at_most.map_or(LEVEL, |most| LEVEL.min(most))
}

/// Why the store does not open.
fn not_opened(error: &StoreError, config: &HostConfig) -> MasterError {
    match (error, config.level_at_most) {
        (StoreError::TooOld { needed, .. }, Some(most)) if *needed <= LEVEL => MasterError::Config(format!(
            "this program is held at level {most} (`levelAtMost` in its configuration, --level-at-most or \
             RAFTSMAN_LEVEL_AT_MOST), less than the cluster's level, {needed}, which never falls: take the hold out"
        )),
        _ => MasterError::Store(error.to_string()),
    }
}

fn peer_tls(pems: &Pems) -> PeerTls {
    PeerTls { ca: pems.ca.clone(), certificate: pems.cert.clone(), key: pems.key.clone() }
}

fn own_master(config: &HostConfig) -> Result<MasterAddress, MasterError> {
    let own = config.own_master().cloned();
    own.ok_or_else(|| MasterError::Config("this host is not listed as a master".into()))
}

/// The settings of this host's store.
pub(crate) fn own_store(config: &HostConfig, pems: &Pems) -> Result<StoreConfig, MasterError> {
    store_config(config, &own_master(config)?, pems)
}

fn backup_source(config: &HostConfig) -> BackupSource {
    BackupSource {
        cluster: config.cluster.clone(),
        cluster_id: config.cluster_id.clone(),
        master: config.name.clone(),
        network: serde_json::json!(config.network).to_string(),
        pki: config.pki.dir.clone(),
    }
}

fn store_config(config: &HostConfig, me: &MasterAddress, pems: &Pems) -> Result<StoreConfig, MasterError> {
    let members = config
        .masters
        .iter()
        .map(|m| MemberAddress {
            id: m.id,
            name: m.name.clone(),
            address: SocketAddr::new(m.address, config.ports.peer),
        })
        .collect();
    let mut store = StoreConfig::new(&config.cluster_id, me.id, members, config.data_dir.join("store"), peer_tls(pems));
    store.joined = config.joined;
    // Who loses or empties `store` has it still.
    store.register = Some(Register::open(&config.pki.dir).map_err(|error| MasterError::Store(error.to_string()))?);
    store.profile = match config.timing.raft {
        RaftProfile::Lan => Profile::Lan,
        RaftProfile::Wan => Profile::Wan,
    };
    store.lease_reads = config.timing.lease_reads;
    store.level = own_level(config);
    Ok(store)
}
