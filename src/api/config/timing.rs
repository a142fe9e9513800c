//! How quickly a cluster believes that something is lost.

use serde::{Deserialize, Serialize};

/// Heartbeats and elections of the masters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RaftProfile {
    /// Masters within a millisecond or two: heartbeat 30 ms, election 80 to 160 ms.
    #[default]
    Lan,
    /// Masters far apart: heartbeat 150 ms, election 600 to 1200 ms.
    Wan,
}

/// The same on all hosts of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Timing {
    /// Heartbeats and elections.
    pub raft: RaftProfile,
    /// The leader answers linearizable reads without a round to the other masters while it holds its lease. That assumes that
    /// masters' clocks differ in speed by less than a quarter and go on while a master does not run. Switch it off where masters
    /// are virtual machines that may be suspended, migrated or resumed from a saved state without their clocks showing it;
    /// every read costs a round then.
    pub lease_reads: bool,
    /// A node without a heartbeat for so many seconds is not ready.
    pub node_grace_seconds: u32,
    /// `tolerationSeconds` of the tolerations for not-ready and unreachable nodes that admission gives to pods which have
    /// none of their own (upstream: 300).
    pub default_toleration_seconds: i64,
    /// Which pods are frozen on a node that cannot reach a leader, and given away later. To change it, change masters first.
    pub fencing: FencingMode,
    /// A fenced pod is frozen so many seconds after its node sent the last renewal that a leader answered.
    pub fencing_deadline_seconds: u32,
}

/// What becomes of pods with an identity (of a StatefulSet, or with an attached volume) on a lost node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FencingMode {
    /// [`FencingMode::Freeze`] with more than one master, else [`FencingMode::Kubernetes`].
    #[default]
    Auto,
    /// Frozen at the deadline, and given away after it.
    Freeze,
    /// Never frozen and never given away: such a pod waits for its node.
    Kubernetes,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            raft: RaftProfile::Lan,
            lease_reads: true,
            node_grace_seconds: 5,
            default_toleration_seconds: 0,
            fencing: FencingMode::Auto,
            fencing_deadline_seconds: 30,
        }
    }
}
