//! What all workers share.

use super::host_ports::HostPorts;
use crate::facts::Machine;
use crate::promise::Standing;
use crate::spec::{Facts, Resolver, choose};
use crate::stream::Outbox;
use crate::world::World;
use parking_lot::RwLock;
use raftsman_api::config::HostConfig;
use raftsman_api::fencing::FencingRule;
use raftsman_network::border::Network;
use raftsman_runtime::border::{Images, Pods};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, watch};

/// Creates and starts under way at the same time, on all pods.
const PARALLEL: usize = 8;

/// What programs on the host read.
const HOST: &str = "/etc/resolv.conf";
/// Where systemd-resolved says whom it asks itself.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";

/// The host's resolvers as they are now.
pub fn host_resolv_conf() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    choose(read(HOST), || read(BEHIND_STUB))
}

/// Doors, desired state and facts.
pub struct Shared {
    /// Containers.
    pub pods: Arc<dyn Pods>,
    /// Images.
    pub images: Arc<dyn Images>,
    /// The machine's network.
    pub network: Arc<dyn Network>,
    /// What the masters told.
    pub world: Arc<RwLock<World>>,
    /// What they are told.
    pub outbox: Arc<Outbox>,
    /// Who we are.
    pub config: HostConfig,
    /// The machine.
    pub machine: Machine,
    /// The address of the cluster's resolver.
    pub cluster_dns: IpAddr,
    /// The node's network is configured.
    pub network_ready: watch::Sender<bool>,
    /// Why it is not.
    pub network_problem: watch::Sender<Option<String>>,
    /// The ports of this machine that lead to its pods.
    pub host_ports: watch::Sender<HostPorts>,
    /// The masters' object of this node has changed.
    pub own_node: Notify,
    /// Which pods are fenced.
    pub rule: FencingRule,
    /// The row of renewals under which the node stands.
    pub standing: watch::Receiver<Standing>,
    /// The row of renewals since whose beginning the masters have told everything.
    pub told: watch::Sender<u32>,
    /// Bounds the work at the runtime's door.
    pub slots: Semaphore,
}

impl Shared {
    /// With the usual bound.
    pub fn slots() -> Semaphore {
        Semaphore::new(PARALLEL)
    }

    /// Where directories are kept that are persistent volumes.
    pub fn local(&self) -> PathBuf {
        self.config.data_dir.join("node").join("local-path")
    }

    /// What resolvers there are now.
    pub fn resolver(&self) -> Resolver {
        let domain = self.config.network.domain.clone();
        Resolver { cluster: self.cluster_dns, domain, host: host_resolv_conf() }
    }

    /// What a pod with this address may ask of the machine.
    pub fn facts(&self, pod_ip: Option<IpAddr>) -> Facts {
        Facts {
            host_ip: self.config.address,
            pod_ip,
            cpus: self.machine.cpus,
            memory: self.machine.memory,
            disk: self.machine.disk,
        }
    }
}
