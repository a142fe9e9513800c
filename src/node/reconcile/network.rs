//! The node's own network, its peers and its services, brought to what the masters say.

use super::host_ports::HostPorts;
use super::services::entry;
use super::shared::{Shared, host_resolv_conf};
use crate::spec::servers;
use crate::world::{Change, Name, World};
use k8s_openapi::api::core::v1::Node;
use raftsman_network::border::{HostPort, NodeNetwork, PeerNode, ServiceEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const GATHER: Duration = Duration::from_millis(10);
const AGAIN: Duration = Duration::from_secs(2);
/// The kernel's own state is others' too: it is looked at this often.
const VERIFY: Duration = Duration::from_secs(30);

fn address(node: &Node) -> Option<IpAddr> {
    let addresses = node.status.as_ref()?.addresses.as_deref()?;
    addresses.iter().find(|address| address.type_ == "InternalIP")?.address.parse().ok()
}

/// The node's range for pods, if it has one yet.
pub fn pod_cidr(node: &Node) -> Option<ipnet::IpNet> {
    node.spec.as_ref()?.pod_cidr.as_deref()?.parse().ok()
}

/// The other nodes and what is behind them.
pub fn peers(world: &World, own: &str) -> Vec<PeerNode> {
    let others = world.nodes().filter(|(name, _)| *name != own);
    others
        .filter_map(|(name, node)| Some(PeerNode { name: name.clone(), ip: address(node)?, pod_cidr: pod_cidr(node)? }))
        .collect()
}

/// Resolvers of the host's own `/etc/resolv.conf`.
pub fn host_resolvers(text: &str) -> Vec<SocketAddr> {
    servers(text).filter_map(|server| Some(SocketAddr::new(server.parse().ok()?, 53))).collect()
}

/// Brings the network to what the masters say.
pub struct Networking {
    shared: Arc<Shared>,
    configured: Option<NodeNetwork>,
    peers: Option<Vec<PeerNode>>,
    wanted_ports: watch::Receiver<HostPorts>,
    host_ports: Option<Vec<HostPort>>,
    entries: BTreeMap<Name, Arc<ServiceEntry>>,
    touched: BTreeSet<Name>,
    /// Nothing was handed over yet, or the last time failed.
    all: bool,
}

impl Networking {
    /// From the kept state on.
    pub fn new(shared: Arc<Shared>) -> Self {
        let touched = shared.world.read().service_names().cloned().collect();
        Self {
            wanted_ports: shared.host_ports.subscribe(),
            shared,
            configured: None,
            peers: None,
            host_ports: None,
            entries: BTreeMap::new(),
            touched,
            all: true,
        }
    }

    /// Works until nobody can tell it anything any more.
    pub async fn run(mut self, mut changes: mpsc::UnboundedReceiver<Vec<Change>>) {
        let mut verify = tokio::time::interval(VERIFY);
        verify.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = self.bring().await;
            tokio::select! {
                news = changes.recv() => match news {
                    Some(news) => self.note(news),
                    None => return,
                },
                Ok(()) = self.wanted_ports.changed() => {}
                // The host's resolvers are read again too.
                _ = verify.tick() => self.verify().await,
                // The kernel refused: again after a while, or when told.
                () = tokio::time::sleep(AGAIN), if !done => {}
            }
            // A rollout comes as many messages: one transaction for those of the same moment.
            tokio::time::sleep(GATHER).await;
            while let Ok(news) = changes.try_recv() {
                self.note(news);
            }
        }
    }

    fn note(&mut self, changes: Vec<Change>) {
        for change in changes {
            if let Change::Service(name) = change {
                self.touched.insert(name);
            }
        }
    }

    /// Has what somebody else took away put back.
    async fn verify(&self) {
        if self.configured.is_some()
            && let Err(error) = self.shared.network.verify().await
        {
            tracing::error!(%error, "cannot make the node's network whole again");
        }
    }

    async fn bring(&mut self) -> bool {
        if !self.configure().await {
            return false;
        }
        let peers = peers(&self.shared.world.read(), &self.shared.config.name);
        let mut well = true;
        if self.configured.is_some() && self.peers.as_ref() != Some(&peers) {
            match self.shared.network.set_peers(&peers).await {
                Ok(()) => self.peers = Some(peers),
                Err(error) => {
                    tracing::error!(%error, "cannot set the routes to other nodes");
                    well = false;
                }
            }
        }
        well &= self.ports().await;
        self.services().await && well
    }

    async fn ports(&mut self) -> bool {
        let wanted: Vec<HostPort> = self.wanted_ports.borrow_and_update().values().flatten().cloned().collect();
        if self.configured.is_none() || self.host_ports.as_ref() == Some(&wanted) {
            return true;
        }
        match self.shared.network.set_host_ports(&wanted).await {
            Ok(()) => {
                self.host_ports = Some(wanted);
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot set the pods' host ports");
                self.host_ports = None;
                false
            }
        }
    }

    async fn configure(&mut self) -> bool {
        let config = &self.shared.config;
        let own = self.shared.world.read().node(&config.name).and_then(|node| pod_cidr(node));
        let (Some(pod_cidr), Some(dns_ip)) = (own, config.network.resolver()) else {
            return true;
        };
        let upstream = match config.network.upstream_dns.is_empty() {
            true => host_resolvers(&host_resolv_conf()),
            false => config.network.upstream_dns.clone(),
        };
        let wanted = NodeNetwork {
            node_ip: config.address,
            pod_cidr,
            cluster_cidr: config.network.pod_cidr,
            service_cidr: config.network.service_cidr,
            dns_ip,
            cluster_domain: config.network.domain.clone(),
            upstream_dns: upstream,
        };
        if self.configured.as_ref() == Some(&wanted) {
            return true;
        }
        match self.shared.network.configure(&wanted).await {
            Ok(()) => {
                tracing::info!(podCIDR = %wanted.pod_cidr, "network is configured");
                self.configured = Some(wanted);
                self.all = true;
                self.shared.network_problem.send_replace(None);
                self.shared.network_ready.send_replace(true);
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot configure the node's network");
                let problem = Some(error.to_string());
                self.shared.network_problem.send_if_modified(|known| {
                    let news = *known != problem;
                    *known = problem;
                    news
                });
                false
            }
        }
    }

    async fn services(&mut self) -> bool {
        if self.configured.is_none() {
            return true;
        }
        let mut changed = Vec::new();
        {
            let world = self.shared.world.read();
            for name in std::mem::take(&mut self.touched) {
                let new = entry(&world, &name, &self.shared.config.name);
                if self.entries.get(&name).map(Arc::as_ref) == new.as_ref() {
                    continue;
                }
                match new {
                    Some(new) => self.entries.insert(name.clone(), Arc::new(new)),
                    None => self.entries.remove(&name),
                };
                changed.push(name);
            }
        }
        if changed.is_empty() && !self.all {
            return true;
        }
        let entries: Vec<Arc<ServiceEntry>> = self.entries.values().cloned().collect();
        let changed = (!self.all).then_some(changed.as_slice());
        match self.shared.network.set_services(&entries, changed).await {
            Ok(()) => {
                self.all = false;
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot set the services' rules");
                self.all = true;
                false
            }
        }
    }
}
