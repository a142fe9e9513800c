//! Promises: until when a node's fenced pods may run.
//!
//! A node renews its promise with the leader; it counts on CLOCK_BOOTTIME, which goes on while the machine sleeps. All
//! supervisors of the machine see it in one shared page, so that a renewal costs one store however many pods there are,
//! and each enforces it alone: a pod that may not run is frozen by its cgroup, whatever has become of the agent.

use std::time::Duration;

/// What a machine's fenced pods may rely on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promise {
    /// A row of renewals without a break; another one after each break. 0: there never was one.
    pub epoch: u32,
    /// Holds until then, on CLOCK_BOOTTIME.
    pub until: Duration,
}

impl Promise {
    /// Whether a pod that was admitted in this epoch may run now.
    pub fn admits(&self, epoch: u32, now: Duration) -> bool {
        epoch != 0 && epoch == self.epoch && now < self.until
    }
}

/// How a fenced pod stands to its machine's promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FenceStatus {
    /// The epoch in which it was admitted; 0: none, it is frozen until it is.
    pub epoch: u32,
    /// It was frozen by a promise that ended, and not admitted since.
    pub frozen: bool,
}
