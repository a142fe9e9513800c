//! The pod's root: the namespaces and files that its containers share.

use crate::border::{ContainerStatus, FenceStatus};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

/// Quality of service: where the pod's cgroup stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum QosClass {
    /// Requests equal limits for every container.
    Guaranteed,
    /// Some requests or limits.
    Burstable,
    /// None.
    #[default]
    BestEffort,
}

/// What a pod's root needs. Its network is attached between [`crate::border::Pods::create_pod`] and the first
/// container, by the `network` room, through [`PodStatus::netns`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PodSpec {
    /// The pod's uid: its identity on this machine.
    pub uid: String,
    /// Namespace, for logs and messages.
    pub namespace: String,
    /// Name, for logs and messages.
    pub name: String,
    /// Host name inside.
    pub hostname: String,
    /// The full name that goes with it in `/etc/hosts` (`spec.subdomain`).
    #[serde(default)]
    pub fqdn: Option<String>,
    /// `hostNetwork`: share the host's network namespace.
    pub host_network: bool,
    /// `hostPID`.
    pub host_pid: bool,
    /// `hostIPC`.
    pub host_ipc: bool,
    /// `shareProcessNamespace`: one pid namespace for all, a pause process is its pid 1.
    pub share_pid: bool,
    /// Quality of service class.
    pub qos: QosClass,
    /// Sum of the containers' cpu shares.
    pub cpu_shares: Option<u64>,
    /// Pod-level CFS quota in microseconds per 100 ms, when every container has a limit.
    pub cpu_quota: Option<i64>,
    /// Pod-level memory limit in bytes, when every container has a limit.
    pub memory: Option<i64>,
    /// Most processes and threads of the whole pod (KubeletConfiguration `podPidsLimit`).
    #[serde(default)]
    pub pids: Option<u64>,
    /// Content of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Lines of `/etc/hosts` beyond the pod's own (`hostAliases`); the pod's line is made from the address given to
    /// [`crate::border::Pods::set_address`].
    pub host_aliases: Vec<(IpAddr, Vec<String>)>,
    /// `securityContext.sysctls`.
    pub sysctls: Vec<(String, String)>,
    /// It runs only while the machine's promise admits it ([`crate::border::Promise`]).
    #[serde(default)]
    pub fenced: bool,
}

/// What is known of one pod on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// What it was made from.
    pub spec: PodSpec,
    /// The pod's network namespace as a path that setns(2) takes; absent with `hostNetwork`. It stays valid while the
    /// pod exists, also when the supervisor is replaced.
    pub netns: Option<PathBuf>,
    /// The address recorded by [`crate::border::Pods::set_address`]; survives the agent.
    pub address: Option<IpAddr>,
    /// How it stands to the machine's promise, if it is fenced.
    pub fence: Option<FenceStatus>,
    /// The pod's root is up (its supervisor answers).
    pub ready: bool,
    /// Since when its namespaces are as they are: after the machine was started again they are new ones. Absent: not known.
    pub root_since: Option<SystemTime>,
    /// All but records and logs was given back ([`crate::border::Pods::release_pod`]).
    pub released: bool,
    /// All containers, also ended ones that were not removed.
    pub containers: Vec<ContainerStatus>,
}
