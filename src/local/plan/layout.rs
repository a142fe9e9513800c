//! Hosts, addresses, names and paths of a local cluster.

use crate::plan::{Ranges, overlapped};
use ipnet::{IpNet, Ipv4Net};
use raftsman_api::config::{HostConfig, NetworkConfig, Pki, Role};
use raftsman_cli::cluster::{ClusterFile, HostEntry};
use raftsman_pki::HostProfile;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Interface names (`NAME-HOST`) have at most 15 characters.
const LONGEST_NAME: usize = 10;
/// Most masters of a local cluster.
pub const MAX_MASTERS: u8 = 7;
/// Most nodes of a local cluster.
pub const MAX_NODES: u8 = 99;

/// What cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A cluster's name.
    #[error("--name {0:?}: use 1 to 10 characters of a-z, 0-9 and -, beginning and ending with a letter or digit")]
    Name(String),
    /// A number of hosts.
    #[error("--{what} {given}: {rule}")]
    Number {
        /// Of which.
        what: &'static str,
        /// What was asked.
        given: u8,
        /// What is possible.
        rule: String,
    },
    /// The addresses of a cluster that was down are somebody else's by now.
    #[error(
        "cluster {name:?} has its hosts in {subnet}, and this machine uses {other} by now: free that (see `ip route`), or remove \
         the cluster with `raftsman down` and begin anew"
    )]
    Taken {
        /// Whose.
        name: String,
        /// Its hosts' range.
        subnet: Ipv4Net,
        /// What it overlaps.
        other: Ipv4Net,
    },
    /// No addresses.
    #[error("no free address range: {what} is all in use on this machine; see `ip route`")]
    Ranges {
        /// Which.
        what: String,
    },
}

/// A cluster's name.
///
/// # Errors
/// It does not fit an interface's name.
pub fn check_name(name: &str) -> Result<(), PlanError> {
    if name.len() > LONGEST_NAME || !raftsman_cli::cluster::is_dns_label(name) {
        return Err(PlanError::Name(name.to_owned()));
    }
    Ok(())
}

fn letter(role: Role) -> char {
    if role == Role::Master { 'm' } else { 'n' }
}

/// A majority of an even number is no smaller than that of the next odd one.
fn odd(masters: u8) -> Result<(), PlanError> {
    if masters % 2 == 1 {
        return Ok(());
    }
    let (fewer, survives) = (masters - 1, masters / 2 - 1);
    let rule =
        format!("an even number survives the loss of {survives}, as {fewer} would: use {fewer} or {}", masters + 1);
    Err(PlanError::Number { what: "masters", given: masters, rule })
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalHost {
    /// m1, m2, …, n1, n2, ….
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its address.
    pub address: Ipv4Addr,
    /// A master's member id; absent until it has joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// It joined the running cluster, or is to: its configuration and keys are of its own making.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joins: bool,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalCluster {
    /// Its name.
    pub name: String,
    /// Its id.
    pub cluster_id: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The bridge's range.
    pub subnet: Ipv4Net,
    /// Ranges of pods and services.
    pub network: NetworkConfig,
    /// Masters, then nodes.
    pub hosts: Vec<LocalHost>,
}

impl LocalCluster {
    /// A new one.
    ///
    /// # Errors
    /// The name or the numbers do not do.
    pub fn plan(
        name: &str,
        dir: &Path,
        cluster_id: &str,
        ranges: Ranges,
        masters: u8,
        nodes: u8,
    ) -> Result<Self, PlanError> {
        check_name(name)?;
        if masters == 0 || masters > MAX_MASTERS {
            let rule = format!("1 to {MAX_MASTERS}; an odd number, 3 survives the loss of one");
            return Err(PlanError::Number { what: "masters", given: masters, rule });
        }
        odd(masters)?;
        let network = NetworkConfig {
            pod_cidr: IpNet::V4(ranges.pods),
            service_cidr: IpNet::V4(ranges.services),
            ..NetworkConfig::default()
        };
        let mut cluster = Self {
            name: name.to_owned(),
            cluster_id: cluster_id.to_owned(),
            dir: dir.to_owned(),
            subnet: ranges.hosts,
            network,
            hosts: Vec::new(),
        };
        for n in 1..=masters {
            cluster.add(Role::Master, n, Some(n.into()));
        }
        cluster.grow(masters, nodes)?;
        Ok(cluster)
    }

    /// As [`LocalCluster::grow`], to a number of masters that is to stay.
    ///
    /// # Errors
    /// As there, or it is even and there are not so many already.
    pub fn resize(&mut self, masters: u8, nodes: u8) -> Result<(), PlanError> {
        if self.of(Role::Master).count() < usize::from(masters) && masters <= MAX_MASTERS {
            odd(masters)?;
        }
        self.grow(masters, nodes)
    }

    /// Adds hosts until there are so many; those that exist stay as they are. Masters that come now are to join.
    ///
    /// # Errors
    /// Some would have to go, or there are too many.
    pub fn grow(&mut self, masters: u8, nodes: u8) -> Result<(), PlanError> {
        let have_masters = self.of(Role::Master).count() as u8;
        if masters > MAX_MASTERS {
            return Err(PlanError::Number { what: "masters", given: masters, rule: format!("1 to {MAX_MASTERS}") });
        }
        if masters < have_masters {
            let rule = format!(
                "cluster {:?} has {have_masters}, and `up` removes none: `raftsman host remove HOST` does",
                self.name
            );
            return Err(PlanError::Number { what: "masters", given: masters, rule });
        }
        let have = self.of(Role::Node).count() as u8;
        if nodes > MAX_NODES {
            return Err(PlanError::Number { what: "nodes", given: nodes, rule: format!("0 to {MAX_NODES}") });
        }
        if nodes < have {
            let rule =
                format!("cluster {:?} has {have}, and `up` removes none: `raftsman host remove HOST` does", self.name);
            return Err(PlanError::Number { what: "nodes", given: nodes, rule });
        }
        for _ in have_masters..masters {
            self.add(Role::Master, self.free(Role::Master), None);
        }
        for _ in have..nodes {
            self.add(Role::Node, self.free(Role::Node), None);
        }
        Ok(())
    }

    /// The first number that no host of the role has.
    fn free(&self, role: Role) -> u8 {
        let taken = |n: &u8| self.host(&format!("{}{n}", letter(role))).is_some();
        (1..u8::MAX).find(|n| !taken(n)).unwrap_or(u8::MAX)
    }

    fn add(&mut self, role: Role, n: u8, id: Option<u64>) {
        let base = if role == Role::Master { 10 } else { 20 };
        let [a, b, c, _] = self.subnet.network().octets();
        let address = Ipv4Addr::new(a, b, c, base + n);
        let joins = role == Role::Master && id.is_none();
        let host = LocalHost { name: format!("{}{n}", letter(role)), role, address, id, joins };
        // Masters first.
        let at = if role == Role::Master { self.of(Role::Master).count() } else { self.hosts.len() };
        self.hosts.insert(at, host);
    }

    /// A master has joined, with this id.
    pub fn joined(&mut self, name: &str, id: u64) {
        if let Some(host) = self.hosts.iter_mut().find(|host| host.name == name) {
            host.id = Some(id);
            host.joins = true;
        }
    }

    /// A host of this name, new and empty, is to join as a master.
    pub fn expect(&mut self, name: &str) {
        if let Some(host) = self.hosts.iter_mut().find(|host| host.name == name) {
            host.id = None;
            host.joins = true;
        }
    }

    /// A host is no more.
    pub fn remove(&mut self, name: &str) {
        self.hosts.retain(|host| host.name != name);
    }

    /// Masters that have not joined yet.
    pub fn expected(&self) -> Vec<String> {
        self.of(Role::Master).filter(|host| host.id.is_none()).map(|host| host.name.clone()).collect()
    }

    /// The cluster without the masters that have not joined yet.
    pub fn present(&self) -> Self {
        let there = |host: &&LocalHost| host.role == Role::Node || host.id.is_some();
        Self { hosts: self.hosts.iter().filter(there).cloned().collect(), ..self.clone() }
    }

    /// The hosts of a role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &LocalHost> {
        self.hosts.iter().filter(move |host| host.role == role)
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Option<&LocalHost> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// Its hosts' range is free on a machine that uses these, its own bridge not among them.
    ///
    /// # Errors
    /// With what it overlaps.
    pub fn fits(&self, used: &[Ipv4Net]) -> Result<(), PlanError> {
        match overlapped(self.subnet, used) {
            None => Ok(()),
            Some(other) => Err(PlanError::Taken { name: self.name.clone(), subnet: self.subnet, other }),
        }
    }

    /// The machine's own address on the bridge.
    pub fn gateway(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.subnet.network().octets();
        Ipv4Addr::new(a, b, c, 1)
    }

    /// The control plane's virtual address.
    pub fn vip(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.subnet.network().octets();
        Ipv4Addr::new(a, b, c, 10)
    }

    /// The bridge's name.
    pub fn bridge(&self) -> String {
        format!("{}-br", self.name)
    }

    /// `NAME-HOST`: the namespace, and the host's interface on the bridge.
    pub fn link(&self, host: &LocalHost) -> String {
        format!("{}-{}", self.name, host.name)
    }

    /// The host's directory.
    pub fn host_dir(&self, host: &LocalHost) -> PathBuf {
        self.dir.join(&host.name)
    }

    /// Below which cgroup everything of the cluster lives, from the root of each hierarchy.
    pub fn cgroup(&self) -> String {
        format!("raftsman/{}", self.name)
    }

    /// Below which cgroup everything of the host lives.
    pub fn host_cgroup(&self, host: &LocalHost) -> String {
        format!("{}/{}", self.cgroup(), host.name)
    }

    /// The images that all hosts share.
    pub fn image_dir(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// The admin's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("admin.kubeconfig")
    }

    /// As a cluster file.
    pub fn file(&self) -> ClusterFile {
        let entry = |host: &LocalHost| HostEntry {
            name: host.name.clone(),
            address: host.address.into(),
            roles: vec![host.role],
            id: host.id,
            labels: std::collections::BTreeMap::new(),
            names: Vec::new(),
        };
        ClusterFile {
            cluster: self.name.clone(),
            hosts: self.present().hosts.iter().map(entry).collect(),
            data_dir: self.dir.clone(),
            config_dir: self.dir.clone(),
            vip: Some(self.vip().into()),
            ports: raftsman_api::config::Ports::default(),
            network: self.network.clone(),
            timing: raftsman_api::config::Timing::default(),
            backup: None,
        }
    }

    /// A host's configuration file.
    pub fn config(&self, host: &LocalHost) -> HostConfig {
        let file = self.file();
        let dir = self.host_dir(host);
        let entry = file.hosts.iter().find(|entry| entry.name == host.name);
        HostConfig {
            cluster: self.name.clone(),
            cluster_id: self.cluster_id.clone(),
            name: host.name.clone(),
            roles: entry.map(|entry| entry.roles.clone()).unwrap_or_default(),
            address: host.address.into(),
            data_dir: dir.clone(),
            pki: Pki { dir: dir.join("pki") },
            masters: file.masters(),
            vip: file.vip,
            joined: false,
            ports: file.ports,
            network: file.network.clone(),
            timing: file.timing,
            backup: file.backup.clone(),
            image_dir: Some(self.image_dir()),
            // A registry on this machine, reached over the bridge, needs no certificate.
            insecure_registries: vec![self.gateway().to_string()],
            // Processes may only live in leaves (cgroup v2): the agent in one, its pods below another.
            cgroup_parent: Some(format!("/{}/pods", self.host_cgroup(host))),
            pod_pids_limit: None,
            level_at_most: None,
            node_labels: std::collections::BTreeMap::new(),
        }
    }

    /// What a host's certificate says.
    pub fn profile(&self, host: &LocalHost) -> HostProfile {
        HostProfile {
            name: host.name.clone(),
            roles: vec![host.role],
            addresses: vec![host.address.into(), self.vip().into()],
            kubernetes: self.network.kubernetes_ip(),
            domain: self.network.domain.clone(),
            extra: Vec::new(),
        }
    }
}
