//! One container: what to run and what became of it.

use std::path::PathBuf;
use std::time::SystemTime;

/// Resource limits of one container, already in kernel units.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// cgroup v1 `cpu.shares` (2 to 262144), converted to `cpu.weight` on v2.
    pub cpu_shares: Option<u64>,
    /// CFS quota in microseconds per [`Limits::cpu_period`].
    pub cpu_quota: Option<i64>,
    /// CFS period in microseconds; 100,000 when absent.
    pub cpu_period: Option<u64>,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// Largest number of processes and threads.
    pub pids: Option<i64>,
    /// `oom_score_adj` of the container's first process.
    pub oom_score_adj: Option<i32>,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MountSource {
    /// A path on the host, bind-mounted (recursively).
    Bind(PathBuf),
    /// A fresh tmpfs, with an optional size in bytes.
    Tmpfs(Option<u64>),
}

/// One mount into a container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Mounted read-only.
    pub read_only: bool,
}

/// Who the process is and what it may do (`securityContext`, container level merged over pod level).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Security {
    /// `runAsUser`; the image's user when absent.
    pub run_as_user: Option<u32>,
    /// `runAsGroup`.
    pub run_as_group: Option<u32>,
    /// `runAsNonRoot`: refuse to start as uid 0.
    pub run_as_non_root: bool,
    /// `fsGroup` and `supplementalGroups`.
    pub supplemental_groups: Vec<u32>,
    /// `capabilities.add`, without the `CAP_` prefix; `ALL` for all.
    pub add_capabilities: Vec<String>,
    /// `capabilities.drop`, the same way.
    pub drop_capabilities: Vec<String>,
    /// `privileged`.
    pub privileged: bool,
    /// `readOnlyRootFilesystem`.
    pub read_only_root: bool,
    /// `allowPrivilegeEscalation: false`.
    pub no_new_privileges: bool,
    /// Seccomp `RuntimeDefault` (true) or `Unconfined` (false).
    pub seccomp_default: bool,
}

/// One run of one container. `attempt` counts restarts; (`name`, `attempt`) is unique within a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ContainerSpec {
    /// The container's name in the pod.
    pub name: String,
    /// Which run this is, from 0 (the restart count).
    pub attempt: u32,
    /// The image's id as [`crate::border::Images::resolve`] gave it; must be present on disk.
    pub image_id: String,
    /// The image as it was asked for. Empty: not known.
    #[serde(default)]
    pub image: String,
    /// `command`: replaces the image's entrypoint; empty keeps it. `$(VAR)` is already expanded.
    pub command: Vec<String>,
    /// `args`: replaces the image's cmd; empty keeps it unless `command` is given.
    pub args: Vec<String>,
    /// Environment over the image's own, in order.
    pub env: Vec<(String, String)>,
    /// Working directory; the image's when absent.
    pub working_dir: Option<String>,
    /// Mounts in order; `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` are made by the runtime from the pod.
    pub mounts: Vec<Mount>,
    /// Resource limits.
    pub limits: Limits,
    /// User and privileges.
    pub security: Security,
    /// `tty`: give it a terminal.
    pub tty: bool,
    /// `stdin`: keep its standard input open for attach.
    pub stdin: bool,
    /// `stdinOnce`: close standard input when the first attach ends.
    pub stdin_once: bool,
    /// `terminationMessagePath`, bind-mounted from the pod's directory.
    pub termination_message_path: String,
    /// `terminationMessagePolicy: FallbackToLogsOnError`: a run that failed without a message has the end of its log as
    /// one.
    #[serde(default)]
    pub termination_message_from_log: bool,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exit {
    /// The exit code; 128 + signal when killed by a signal.
    pub code: i32,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// The kernel's OOM killer struck in its cgroup.
    #[serde(default)]
    pub oom_killed: bool,
    /// When it ended.
    pub finished_at: SystemTime,
    /// What it wrote to its termination message file (at most 4096 bytes), or the end of its log (at most 2048).
    #[serde(default)]
    pub message: String,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ContainerPhase {
    /// Made, not yet running.
    Created,
    /// Its process runs.
    Running {
        /// When it was started.
        started_at: SystemTime,
    },
    /// Its process ended; the record stays until the container is removed.
    Exited {
        /// When it was started; absent if it never was.
        started_at: Option<SystemTime>,
        /// How it ended.
        exit: Exit,
    },
}

/// What is known of one container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ContainerStatus {
    /// A unique id on this machine, 64 hex digits (`containerID: raftsman://…`).
    pub id: String,
    /// The container's name in the pod.
    pub name: String,
    /// Which run this is.
    pub attempt: u32,
    /// The image's id.
    pub image_id: String,
    /// The image as it was asked for. Empty: not known.
    #[serde(default)]
    pub image: String,
    /// Where it is in its life.
    pub phase: ContainerPhase,
    /// The process id on the host while it runs.
    pub pid: Option<i32>,
}
