//! One host: who it is, what it does, whom it knows.

use crate::config::{BackupConfig, NetworkConfig, Timing};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds the replicated state and serves the API.
    Master,
    /// Runs pods.
    Node,
}

/// On a Node: when its host's certificate ends (RFC 3339).
pub const CERTIFICATE_END_ANNOTATION: &str = "raftsman.io/certificate-end";

/// A master as every host knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MasterAddress {
    /// Host name.
    pub name: String,
    /// Member id, from 1; never used again for another master.
    pub id: u64,
    /// Its address.
    pub address: IpAddr,
}

/// Ports that hosts listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Ports {
    /// The Kubernetes API (HTTPS) of masters.
    pub api: u16,
    /// Peers and node streams (gRPC, mutual TLS) of masters.
    pub peer: u16,
    /// The nodes' own service (gRPC, mutual TLS).
    pub node: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { api: 6443, peer: 6444, node: 6445 }
    }
}

/// Where a host finds its keys and certificates, all PEM.
///
/// One directory holds `ca.crt`; `host.crt` and `host.key`, for gRPC in both directions and, on masters, HTTPS; on
/// masters also `ca.key` (certificates for clients) and `sa.key` (service account tokens). A master's certificate has
/// the organisation `raftsman:masters` and the common name `raftsman:master:NAME`; a node's has `system:nodes` and
/// `system:node:NAME`; a host that is both carries both organisations and the node's common name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pki {
    /// The directory.
    pub dir: PathBuf,
}

/// Everything that one process needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostConfig {
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's id, the same on all its hosts and on no other's.
    pub cluster_id: String,
    /// This host's name: a node's object has it.
    pub name: String,
    /// What this host does.
    pub roles: Vec<Role>,
    /// This host's address, reached by all others.
    pub address: IpAddr,
    /// Where its state lives.
    pub data_dir: PathBuf,
    /// Keys and certificates.
    pub pki: Pki,
    /// All masters: how the first cluster forms, and whom to ask later, when the members may be others.
    pub masters: Vec<MasterAddress>,
    /// The control plane's virtual address, carried by whichever master leads; the same on all hosts. An IPv4 address of the
    /// masters' network that nobody has; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<IpAddr>,
    /// This host joined a cluster that existed: it never forms one with the masters listed here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// Ports, the same on all hosts.
    #[serde(default)]
    pub ports: Ports,
    /// Ranges and names, the same on all hosts.
    #[serde(default)]
    pub network: NetworkConfig,
    /// Timing, the same on all hosts.
    #[serde(default)]
    pub timing: Timing,
    /// Backups that this host makes by itself whenever it is the leading master; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupConfig>,
    /// Where images are kept; below `dataDir` when absent. Hosts on one machine may share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_dir: Option<PathBuf>,
    /// Registries spoken to in plain HTTP, besides those on loopback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insecure_registries: Vec<String>,
    /// The cgroup below which pods live, from the root of each hierarchy; `/raftsman` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// Most processes and threads of one pod, as KubeletConfiguration's `podPidsLimit`; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_pids_limit: Option<u64>,
    /// As a master: the cluster's level rises no higher than this while the host is a member, so that programs of that level
    /// may come back; the program's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_at_most: Option<u32>,
    /// Labels that this node gives itself.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub node_labels: std::collections::BTreeMap<String, String>,
}

impl HostConfig {
    /// It has this role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// This host as a master, if it is one.
    pub fn own_master(&self) -> Option<&MasterAddress> {
        self.masters.iter().find(|master| master.name == self.name)
    }

    /// What contradicts itself, each with the field it is about. Empty: fine.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.roles.is_empty() {
            problems.push("roles: name at least one of master, node".to_owned());
        }
        if self.masters.is_empty() {
            problems.push("masters: name at least one".to_owned());
        }
        if self.is(Role::Master) && self.own_master().is_none() {
            problems.push(format!("masters: this host has the role master, but {:?} is not listed", self.name));
        }
        for (at, master) in self.masters.iter().enumerate() {
            if master.id == 0 {
                problems.push(format!("masters[{at}].id: begins at 1"));
            }
            if self.masters[..at].iter().any(|other| other.id == master.id || other.name == master.name) {
                problems.push(format!("masters[{at}]: id {} or name {:?} is used twice", master.id, master.name));
            }
        }
        problems.extend(self.vip.and_then(|vip| self.vip_problem(vip)));
        if self.pod_pids_limit == Some(0) {
            problems.push("podPidsLimit: at least 1; leave it out for no limit".to_owned());
        }
        if !(5..=3600).contains(&self.timing.fencing_deadline_seconds) {
            problems.push(format!(
                "timing.fencingDeadlineSeconds: {} lies outside of 5 to 3600",
                self.timing.fencing_deadline_seconds
            ));
        }
        problems.extend(self.network.problems());
        problems.extend(self.backup.iter().flat_map(BackupConfig::problems));
        problems
    }

    fn vip_problem(&self, vip: IpAddr) -> Option<String> {
        let why = if vip.is_ipv6() {
            "must be an IPv4 address".to_owned()
        } else if vip.is_unspecified() || vip.is_loopback() || vip.is_multicast() {
            "must be an address that other hosts can reach".to_owned()
        } else if let Some(master) = self.masters.iter().find(|master| master.address == vip) {
            format!("is master {:?}'s own address; choose one that nobody has", master.name)
        } else if self.address == vip {
            "is this host's own address; choose one that nobody has".to_owned()
        } else if self.network.pod_cidr.contains(&vip) || self.network.service_cidr.contains(&vip) {
            "lies in the range of pods or services; choose one of the masters' network".to_owned()
        } else {
            return None;
        };
        Some(format!("vip: {vip} {why}"))
    }
}
