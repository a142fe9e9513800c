//! What agent and supervisor say to each other, and the names of the pod's files.
//!
//! A supervisor outlives the agent that started it, so a new agent talks to an old one, and reads the files of it. Hence
//! fields are only added, each with a default that means what was so before; what is not known is passed over; and a new
//! request is one that an old supervisor may refuse. `pods/golden/` holds what earlier versions wrote.

use crate::border::Exit;
use libcontainer::oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The pod's boot record, written by the agent before it starts the supervisor.
pub(crate) const BOOT_FILE: &str = "boot.json";
/// The supervisor's socket.
pub(crate) const SOCKET: &str = "supervisor.sock";
/// The supervisor's pid and start time.
pub(crate) const PROCESS_FILE: &str = "supervisor.json";
/// How a fenced pod stands.
pub(crate) const FENCE_FILE: &str = "fence.json";
/// Containers, each in a directory named by its id.
pub(crate) const CONTAINERS: &str = "containers";
/// In a container's directory: its live state.
pub(crate) const STATE_FILE: &str = "state.json";
/// In a container's directory: the termination message.
pub(crate) const MESSAGE_FILE: &str = "termination-message";

/// How to make, or find again, the pod's namespaces.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Boot {
    /// Host name.
    pub hostname: String,
    /// Share the host's network namespace.
    pub host_network: bool,
    /// Share the host's ipc namespace.
    pub host_ipc: bool,
    /// Share the host's pid namespace.
    pub host_pid: bool,
    /// One pid namespace for all containers.
    pub share_pid: bool,
    /// Kernel parameters of the pod's namespaces.
    pub sysctls: Vec<(String, String)>,
    /// Where namespaces are pinned (`net`, `ipc`, `uts`, `pid`); those found there are joined, not made.
    pub pins: PathBuf,
    /// The directory of all pods, for unmounting the others'.
    pub pods: PathBuf,
    /// The directory of all pins.
    pub all_pins: PathBuf,
    /// The supervisor's own cgroup.
    pub cgroup: String,
    /// The pod is fenced.
    pub fencing: Option<Fencing>,
}

/// What a fenced pod's supervisor needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Fencing {
    /// The machine's promise, a page of shared memory.
    pub page: PathBuf,
    /// The pod's cgroup.
    pub group: String,
}

/// Name of a process that outlives a reboot of its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The pid on the host.
    pub pid: i32,
    /// Its start time in clock ticks since boot.
    pub start_time: u64,
}

/// What is true of one container now; replaced atomically.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// The machine's boot in which it was made.
    pub boot_id: String,
    /// Its first process.
    pub process: Option<ProcessId>,
    /// When it was started.
    pub started_at: Option<std::time::SystemTime>,
    /// Its first process was reaped: exit code, signal, when. Its last words may still be on their way.
    pub ended: Option<(i32, Option<i32>, std::time::SystemTime)>,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// What its process may do. Never a default of anything: that would allow all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Privileges {
    /// Capabilities it keeps, without `CAP_`; absent: all (privileged).
    pub capabilities: Option<Vec<String>>,
    /// The default seccomp profile.
    pub seccomp: bool,
}

/// One container to start. Its OCI specification is in its directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StartContainer {
    /// Its id, also the name of its directory.
    pub id: String,
    /// Its cgroup.
    pub cgroup: String,
    /// The unpacked layers, topmost first.
    pub layers: Vec<PathBuf>,
    /// The directory of the layers.
    pub layers_root: PathBuf,
    /// Its log file.
    pub log: PathBuf,
    /// What it may do.
    pub privileges: Privileges,
    /// Owner of its standard streams.
    pub uid: u32,
    /// Group of its standard streams.
    pub gid: u32,
    /// Its working directory, made if missing.
    pub cwd: String,
    /// Give it a terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin: bool,
    /// Close standard input with the first attach.
    pub stdin_once: bool,
    /// `oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// All its processes end with it (its pid namespace is not its own).
    pub kill_rest: bool,
    /// A run that failed without a termination message has the end of its log as one.
    #[serde(default)]
    pub message_from_log: bool,
}

/// A command in a running container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StartExec {
    /// The container's id.
    pub id: String,
    /// The process.
    pub process: Box<Process>,
    /// What it may do.
    pub privileges: Privileges,
    /// Its working directory.
    pub cwd: String,
    /// Which standard streams come as descriptors, in this order: in, out, err. None with a terminal.
    pub streams: [bool; 3],
}

/// From the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Are you there?
    Ping,
    /// Start a container. Answer: [`Reply::Started`] or [`Reply::Failed`].
    Start(Box<StartContainer>),
    /// Send a signal to a container's first process.
    Signal {
        /// The container's id.
        id: String,
        /// The signal.
        signal: i32,
    },
    /// Forget an ended container: its mount and its runtime state.
    Remove {
        /// The container's id.
        id: String,
        /// Its cgroup.
        cgroup: String,
    },
    /// Run a command. Answers: [`Reply::Started`] (with the terminal's descriptor), later [`Reply::Exited`].
    Exec(Box<StartExec>),
    /// Connect to a container's streams (descriptors: in, out, err as `streams` says). Answers: [`Reply::Done`], later
    /// [`Reply::Exited`].
    Attach {
        /// The container's id.
        id: String,
        /// Which descriptors come with it.
        streams: [bool; 3],
    },
    /// The terminal of the attached container has a new size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Tell me of every change from now on. Answers: [`Reply::Changed`], again and again.
    Subscribe,
    /// A container that this supervisor adopted was reaped by the agent.
    Reaped {
        /// Its process.
        process: ProcessId,
        /// Exit code or 128 + signal.
        code: i32,
        /// The signal.
        signal: Option<i32>,
    },
    /// A leader's word for this epoch: the fenced pod runs. Answers: [`Reply::Done`] or [`Reply::Frozen`].
    Admit {
        /// Of the machine's promise.
        epoch: u32,
    },
    /// End. Containers are not touched.
    Shutdown,
}

/// From the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// It is so.
    Done,
    /// The process runs.
    Started {
        /// Its pid on the host.
        pid: i32,
    },
    /// It does not run.
    Failed {
        /// Why.
        message: String,
        /// The exit code to show for it.
        code: i32,
    },
    /// The process of this connection ended.
    Exited {
        /// Exit code or 128 + signal.
        code: i32,
    },
    /// The pod is fenced and may not run now.
    Frozen,
    /// A container started or ended, or the pod was frozen.
    Changed,
}
