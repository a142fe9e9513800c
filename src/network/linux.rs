//! The machine's network on Linux: what the agent asks for, done by netlink.

use crate::border::{HostPort, Network, NetworkError, NodeNetwork, PeerNode, PodInterface, ServiceEntry};
use crate::dns::Resolver;
use crate::links::pods::{self, Attached, Uplink};
use crate::links::{Conn, Ipam, Namespace, host};
use crate::nft::NftSocket;
use crate::rules::{Place, ServiceKey, Table};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What distinguishes our things from others' on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinuxConfig {
    /// The nf_tables table.
    pub table: String,
    /// What pods' interfaces on the host are called: this and 12 hex digits; at most 3 characters.
    pub prefix: String,
    /// The host's network namespace; none: the process's own.
    pub netns: Option<PathBuf>,
}

impl Default for LinuxConfig {
    fn default() -> Self {
        Self { table: "raftsman".to_owned(), prefix: "rm".to_owned(), netns: None }
    }
}

/// The network of the machine, or of a network namespace that plays one.
pub struct LinuxNetwork {
    prefix: String,
    namespace: Namespace,
    pods: Mutex<Pods>,
    table: Arc<Mutex<Table>>,
    resolver: Mutex<Resolver>,
}

/// What attaching pods needs.
struct Pods {
    host: Conn,
    place: Option<(Place, Uplink)>,
    ipam: Option<Ipam>,
    peers: Vec<PeerNode>,
}

impl LinuxNetwork {
    /// Opens the sockets, and checks that the kernel has what is needed. Changes nothing yet.
    ///
    /// # Errors
    /// `Unsupported` if the kernel lacks nf_tables; `Invalid` for an impossible configuration.
    pub async fn new(config: LinuxConfig) -> Result<Self, NetworkError> {
        if config.prefix.is_empty() || config.prefix.len() > 3 || !config.prefix.bytes().all(|b| b.is_ascii_lowercase())
        {
            let prefix = config.prefix;
            return Err(NetworkError::Invalid(format!(
                "interface prefix {prefix:?}: use one to three lower case letters"
            )));
        }
        if config.table.is_empty() || config.table.len() > 64 {
            return Err(NetworkError::Invalid("the nf_tables table's name must have 1 to 64 characters".to_owned()));
        }
        let namespace = Namespace::new(config.netns);
        let host = Conn::open(&namespace).await?;
        let socket = namespace.run(|| {
            NftSocket::open().map_err(|e| NetworkError::Unsupported {
                what: "netfilter netlink".to_owned(),
                hint: format!("boot a kernel with CONFIG_NETFILTER_NETLINK, and run as root ({e})"),
            })
        });
        let table = Table::new(config.table, socket.await?);
        let network = Self {
            prefix: config.prefix,
            pods: Mutex::new(Pods { host, place: None, ipam: None, peers: Vec::new() }),
            table: Arc::new(Mutex::new(table)),
            resolver: Mutex::new(Resolver::new(namespace.clone())),
            namespace,
        };
        network.with_table(Table::probe).await?;
        Ok(network)
    }

    /// Checks that this machine can carry pods: nf_tables, veth interfaces. Leaves nothing behind.
    pub async fn preflight() -> Result<(), NetworkError> {
        let network = Self::new(LinuxConfig::default()).await?;
        let pods = network.pods.lock().await;
        pods::probe(&pods.host).await
    }

    /// Netfilter's socket blocks, so its work leaves the runtime's threads.
    async fn with_table<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Table) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let mut table = Arc::clone(&self.table).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut table)).await.map_err(|e| NetworkError::Kernel {
            what: "change of the nf_tables table".to_owned(),
            reason: e.to_string(),
        })?
    }
}

impl Pods {
    fn ready(&mut self) -> Result<(&Conn, Place, Uplink, &mut Ipam), NetworkError> {
        match (self.place, &mut self.ipam) {
            (Some((place, uplink)), Some(ipam)) => Ok((&self.host, place, uplink, ipam)),
            _ => Err(NetworkError::Invalid("a pod came before the node's network was configured".to_owned())),
        }
    }
}

#[async_trait]
impl Network for LinuxNetwork {
    async fn configure(&self, node: &NodeNetwork) -> Result<(), NetworkError> {
        let place = Place::of(node)?;
        {
            let mut pods = self.pods.lock().await;
            let link = host::configure(&pods.host, &self.namespace, &place).await?;
            pods.place = Some((place, Uplink { mtu: link.mtu, node: place.node }));
            if pods.ipam.as_ref().map(Ipam::range) != Some(place.pods) {
                pods.ipam = Some(Ipam::new(place.pods));
            }
            for broken in pods::list(&pods.host, &self.prefix).await?.1 {
                pods.host.delete_link(broken.index, &broken.name).await?;
            }
        }
        self.with_table(move |table| table.configure(place)).await?;
        self.resolver.lock().await.configure(node).await
    }

    async fn set_peers(&self, peers: &[PeerNode]) -> Result<(), NetworkError> {
        let mut pods = self.pods.lock().await;
        pods.peers = peers.to_vec();
        let (conn, place, ..) = pods.ready()?;
        host::set_peers(conn, &place, peers).await
    }

    async fn attach(&self, pod: &PodInterface) -> Result<IpAddr, NetworkError> {
        let mut pods = self.pods.lock().await;
        let (conn, place, uplink, ipam) = pods.ready()?;
        if self.namespace.is_at(&pod.netns).await? {
            let (uid, path) = (&pod.uid, pod.netns.display());
            return Err(NetworkError::Invalid(format!("pod {uid}: {path} is the host's own network namespace")));
        }
        let (attached, _) = pods::list(conn, &self.prefix).await?;
        let mut previous = match pod.previous {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        };
        if let Some(known) = attached.iter().find(|a| a.uid == pod.uid) {
            if place.pods.contains(&known.ip) && pods::is_intact(known, pod).await? {
                pods::outside(conn, &self.namespace, known, &uplink).await?;
                return Ok(IpAddr::V4(known.ip));
            }
            // The pod's namespace is a new one.
            conn.delete_link(known.link.index, &known.link.name).await?;
            previous = previous.or(Some(known.ip));
        }
        let taken: BTreeSet<_> = attached.iter().filter(|a| a.uid != pod.uid).map(|a| a.ip).collect();
        let ip = ipam.allocate(&taken, previous).ok_or(NetworkError::Exhausted(place.pods.into()))?;
        if let Err(error) = pods::make(conn, &self.namespace, &self.prefix, pod, ip, &uplink).await {
            ipam.free(ip);
            return Err(error);
        }
        Ok(IpAddr::V4(ip))
    }

    async fn detach(&self, uid: &str) -> Result<(), NetworkError> {
        let mut pods = self.pods.lock().await;
        let (attached, _) = pods::list(&pods.host, &self.prefix).await?;
        for Attached { ip, link, .. } in attached.into_iter().filter(|a| a.uid == uid) {
            pods.host.delete_link(link.index, &link.name).await?;
            if let Some(ipam) = &mut pods.ipam {
                ipam.free(ip);
            }
        }
        Ok(())
    }

    async fn attached(&self) -> Result<Vec<(String, IpAddr)>, NetworkError> {
        let pods = self.pods.lock().await;
        let (attached, _) = pods::list(&pods.host, &self.prefix).await?;
        Ok(attached.into_iter().map(|a| (a.uid, IpAddr::V4(a.ip))).collect())
    }

    async fn set_services(
        &self,
        services: &[Arc<ServiceEntry>],
        changed: Option<&[ServiceKey]>,
    ) -> Result<(), NetworkError> {
        self.resolver.lock().await.set_services(services, changed);
        let (services, changed) = (services.to_vec(), changed.map(<[ServiceKey]>::to_vec));
        self.with_table(move |table| table.set_services(&services, changed.as_deref())).await
    }

    async fn set_host_ports(&self, ports: &[HostPort]) -> Result<(), NetworkError> {
        let ports = ports.to_vec();
        self.with_table(move |table| table.set_host_ports(&ports)).await
    }

    async fn verify(&self) -> Result<(), NetworkError> {
        let mut errors = Vec::new();
        let mut note = |result: Result<(), NetworkError>| errors.extend(result.err().map(|e| e.to_string()));
        note(self.with_table(Table::verify).await);
        let mut pods = self.pods.lock().await;
        let peers = pods.peers.clone();
        let (conn, place, uplink, _) = pods.ready()?;
        note(host::configure(conn, &self.namespace, &place).await.map(drop));
        let there: BTreeSet<_> = conn.routes().await?.into_iter().map(|route| route.destination).collect();
        for attached in pods::list(conn, &self.prefix).await?.0 {
            if !there.contains(&attached.ip.into()) {
                note(pods::outside(conn, &self.namespace, &attached, &uplink).await);
            }
        }
        note(host::set_peers(conn, &place, &peers).await);
        host::join(errors, "look at the node's network")
    }

    async fn teardown(&self) -> Result<(), NetworkError> {
        let mut errors = Vec::new();
        let mut note = |result: Result<(), NetworkError>| errors.extend(result.err().map(|e| e.to_string()));
        self.resolver.lock().await.stop().await;
        note(self.with_table(Table::teardown).await);
        let mut pods = self.pods.lock().await;
        match pods::list(&pods.host, &self.prefix).await {
            Ok((attached, broken)) => {
                for link in attached.into_iter().map(|a| a.link).chain(broken) {
                    note(pods.host.delete_link(link.index, &link.name).await);
                }
            }
            Err(error) => note(Err(error)),
        }
        note(host::teardown(&pods.host).await);
        (pods.place, pods.ipam, pods.peers) = (None, None, Vec::new());
        host::join(errors, "teardown of the node's network")
    }
}
