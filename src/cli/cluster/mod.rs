//! The cluster file: which hosts there are and what each does. One file, from which every host's configuration is made.

use anyhow::{Context, bail};
use raftsman_api::config::{BackupConfig, HostConfig, MasterAddress, NetworkConfig, Pki, Ports, Role, Timing};
use raftsman_pki::HostProfile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A host in a cluster file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostEntry {
    /// Its name: a DNS label.
    pub name: String,
    /// Its address, reached by all others.
    pub address: IpAddr,
    /// What it does.
    pub roles: Vec<Role>,
    /// A master's member id; its place among the masters, from 1, when absent. Never give one to another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Labels that the node gives itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Further names and addresses in its certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterFile {
    /// Its name.
    pub cluster: String,
    /// Its hosts.
    pub hosts: Vec<HostEntry>,
    /// Where hosts keep their state.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// Where hosts find their configuration and keys.
    #[serde(default = "config_dir")]
    pub config_dir: PathBuf,
    /// The control plane's virtual address: one of the masters' network that nobody has. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<IpAddr>,
    /// Ports.
    #[serde(default)]
    pub ports: Ports,
    /// Ranges and names.
    #[serde(default)]
    pub network: NetworkConfig,
    /// Timing.
    #[serde(default)]
    pub timing: Timing,
    /// Backups that the leading master makes by itself: `{ every: 6h, keep: 28, dir: /var/backups/raftsman, passphraseFile: … }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupConfig>,
}

fn data_dir() -> PathBuf {
    PathBuf::from("/var/lib/raftsman")
}

fn config_dir() -> PathBuf {
    PathBuf::from("/etc/raftsman")
}

/// An id that no other cluster has.
pub fn new_cluster_id() -> String {
    format!("c-{:016x}", rand::random::<u64>())
}

/// A DNS label (RFC 1123).
pub fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

impl ClusterFile {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cluster file {}", path.display()))?;
        let cluster: Self = serde_yaml::from_str(&text).with_context(|| format!("cluster file {}", path.display()))?;
        let problems = cluster.problems();
        if !problems.is_empty() {
            bail!("cluster file {}: {}", path.display(), problems.join("; "));
        }
        Ok(cluster)
    }

    /// What contradicts itself, each with the field that it is about.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_dns_label(&self.cluster) {
            problems.push(format!("cluster: {:?} is no DNS label (a-z, 0-9 and -)", self.cluster));
        }
        if self.masters().is_empty() {
            problems.push("hosts: none has the role master".to_owned());
        }
        for (at, host) in self.hosts.iter().enumerate() {
            if !is_dns_label(&host.name) {
                problems.push(format!("hosts[{at}].name: {:?} is no DNS label (a-z, 0-9 and -)", host.name));
            }
            if self.hosts[..at].iter().any(|other| other.name == host.name || other.address == host.address) {
                problems.push(format!("hosts[{at}]: name {:?} or address {} is used twice", host.name, host.address));
            }
            for problem in self.host_config(host, "-").problems() {
                let problem = format!("hosts[{at}] ({}): {problem}", host.name);
                // The network is the same on all hosts: said once.
                if !problem.contains(": network") || at == 0 {
                    problems.push(problem);
                }
            }
        }
        problems
    }

    /// All masters with their member ids.
    pub fn masters(&self) -> Vec<MasterAddress> {
        let masters = self.hosts.iter().filter(|host| host.roles.contains(&Role::Master));
        masters
            .zip(1..)
            .map(|(host, place)| MasterAddress {
                name: host.name.clone(),
                id: host.id.unwrap_or(place),
                address: host.address,
            })
            .collect()
    }

    fn url(&self, address: IpAddr) -> String {
        format!("https://{}", std::net::SocketAddr::new(address, self.ports.api))
    }

    /// URL of the API by the virtual address.
    pub fn virtual_server(&self) -> Option<String> {
        self.vip.map(|vip| self.url(vip))
    }

    /// Name and URL of every master's API.
    pub fn master_servers(&self) -> Vec<(String, String)> {
        let url = |address| self.url(address);
        self.masters().into_iter().map(|master| (master.name, url(master.address))).collect()
    }

    /// What the host's certificate says.
    pub fn profile(&self, host: &HostEntry) -> HostProfile {
        HostProfile {
            name: host.name.clone(),
            roles: host.roles.clone(),
            addresses: std::iter::once(host.address).chain(self.vip).collect(),
            kubernetes: self.network.kubernetes_ip(),
            domain: self.network.domain.clone(),
            extra: host.names.clone(),
        }
    }

    /// The host's configuration file.
    pub fn host_config(&self, host: &HostEntry, cluster_id: &str) -> HostConfig {
        HostConfig {
            cluster: self.cluster.clone(),
            cluster_id: cluster_id.to_owned(),
            name: host.name.clone(),
            roles: host.roles.clone(),
            address: host.address,
            data_dir: self.data_dir.clone(),
            pki: Pki { dir: self.config_dir.join("pki") },
            masters: self.masters(),
            vip: self.vip,
            joined: false,
            ports: self.ports,
            network: self.network.clone(),
            timing: self.timing,
            backup: self.backup.clone().filter(|_| host.roles.contains(&Role::Master)),
            image_dir: None,
            insecure_registries: Vec::new(),
            cgroup_parent: None,
            pod_pids_limit: None,
            level_at_most: None,
            node_labels: host.labels.clone(),
        }
    }
}

#[cfg(test)]
mod cluster_tests;
