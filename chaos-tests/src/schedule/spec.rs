//! A schedule, as it is written down.

use super::Who;
use serde::{Deserialize, Serialize};

/// Steps against a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Schedule {
    /// The scenario's name.
    pub scenario: String,
    /// What it was made from; absent in one written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Faults are over by then; then everything is healed.
    pub seconds: u64,
    /// In the order in which they begin.
    pub steps: Vec<Step>,
}

/// One fault: when, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Milliseconds after the beginning.
    pub at_ms: u64,
    /// Healed after so many milliseconds.
    pub for_ms: u64,
    /// What.
    #[serde(flatten)]
    pub fault: Spec,
}

/// A fault. `who` is hit; `pick` chooses among those that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum Spec {
    /// SIGKILL to a host's own process; started again to heal.
    Kill { who: Who },
    /// SIGTERM to it, likewise.
    Terminate { who: Who },
    /// SIGSTOP, and SIGCONT to heal.
    Pause { who: Who },
    /// SIGKILL to the supervisor of one of a node's pods.
    KillSupervisor { who: Who, pick: u64 },
    /// SIGTERM to it.
    TerminateSupervisor { who: Who, pick: u64 },
    /// SIGSTOP to it.
    PauseSupervisor { who: Who, pick: u64 },
    /// SIGKILL to the guard of one of a node's fenced pods.
    KillGuard { who: Who, pick: u64 },
    /// SIGTERM to it.
    TerminateGuard { who: Who, pick: u64 },
    /// SIGSTOP to it.
    PauseGuard { who: Who, pick: u64 },
    /// SIGKILL to the first process of one of a node's containers.
    KillContainer { who: Who, pick: u64 },
    /// SIGTERM to it, which one without a handler does not hear.
    TerminateContainer { who: Who, pick: u64 },
    /// SIGSTOP to it.
    PauseContainer { who: Who, pick: u64 },
    /// Everything on a host is gone, network and all; started again to heal.
    HostLoss { who: Who },
    /// The same to some hosts at once, and their disks forget what was not synced.
    PowerCut { who: Vec<Who> },
    /// Nothing passes from one side to the other.
    Partition { from: Vec<Who>, to: Vec<Who>, one_way: bool },
    /// A partition that comes and goes.
    Flap { from: Vec<Who>, to: Vec<Who>, period_ms: u64 },
    /// The host is taken off the network altogether, from the tests' own clients too.
    Unplug { who: Who },
    /// Packets to a host are lost.
    Loss { who: Who, percent: u32 },
    /// Packets from a host come twice.
    Duplicate { who: Who, percent: u32 },
    /// Packets to a host are late.
    Delay { who: Who, ms: u64 },
    /// A host's link carries so much.
    SlowLink { who: Who, kbit: u32 },
    /// A host's disk does so many writes a second.
    SlowDisk { who: Who, iops: u32 },
    /// Nothing fits on a host's disk any more.
    FullDisk { who: Who },
    /// A host's disk has become read-only.
    ReadOnlyDisk { who: Who },
    /// Every write to a host's disk hangs.
    HungDisk { who: Who },
    /// Every call to a host's disk fails (EIO).
    FailedDisk { who: Who },
    /// A host's process gets so much of one processor.
    Starve { who: Who, percent: u32 },
    /// Everything on a host gets so much of one processor, its pods and their supervisors, too.
    StarveHost { who: Who, percent: u32 },
    /// A host's wall clock is wrong by so many seconds.
    ClockJump { who: Who, seconds: i64 },
    /// A host starts with a certificate of yesterday.
    ExpiredCertificate { who: Who },
    /// All hosts are started again, one after the other.
    RollingRestart,
    /// Leadership is handed over.
    Transfer { who: Who },
    /// A master joins; it leaves to heal.
    AddMaster,
    /// A master's machine is replaced by an empty one.
    ReplaceMaster { who: Who },
    /// A node joins; it leaves to heal.
    AddNode,
}

impl Spec {
    /// Its word, as in a file.
    pub fn kind(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["fault"].as_str().unwrap_or_default().to_owned()
    }
}

impl Spec {
    /// Whom it hits says nothing more to any other host, from its beginning on: what is promised of a leader that is lost
    /// is promised after these.
    pub fn silences(&self) -> bool {
        match self {
            Self::Kill { .. }
            | Self::Pause { .. }
            | Self::HostLoss { .. }
            | Self::Unplug { .. }
            | Self::PowerCut { .. } => true,
            Self::Partition { one_way, .. } => !one_way,
            _ => false,
        }
    }
}

impl Schedule {
    /// A node is away for so long that its identities must be given away: longer than the fencing deadline and what its
    /// leader waits beyond that, on a machine that has too much to do.
    pub fn must_move(&self) -> bool {
        let one_node = |from: &[Who]| matches!(from, [Who(name)] if name.starts_with('n'));
        self.steps.iter().filter(|step| step.for_ms >= 50_000).any(|step| match &step.fault {
            Spec::HostLoss { who } | Spec::Unplug { who } | Spec::Pause { who } => who.0.starts_with('n'),
            Spec::Partition { from, .. } => one_node(from),
            _ => false,
        })
    }

    /// Hosts must run with a clock that can be moved.
    pub fn moves_clocks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.fault, Spec::ClockJump { .. }))
    }

    /// Hosts must have disks of their own.
    pub fn breaks_disks(&self) -> bool {
        let breaks = |fault: &Spec| {
            matches!(
                fault,
                Spec::PowerCut { .. }
                    | Spec::SlowDisk { .. }
                    | Spec::FullDisk { .. }
                    | Spec::ReadOnlyDisk { .. }
                    | Spec::HungDisk { .. }
                    | Spec::FailedDisk { .. }
            )
        };
        self.steps.iter().any(|step| breaks(&step.fault))
    }
}
