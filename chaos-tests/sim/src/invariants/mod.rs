//! What must always hold of a cluster, one file each, checked on recorded events: the same for simulations and for real
//! processes.

mod applied_once;
mod dense_revisions;
mod durable_writes;
mod events;
mod leaders;
mod linearizable;
mod log_matching;
mod views;
mod watches;
mod wgl;

pub use events::{Action, Event, Known, Operation, Seen};

use std::fmt;

/// A property of a cluster's recorded events.
pub trait Invariant: Sync {
    /// What holds, in a few words.
    fn name(&self) -> &'static str;

    /// Checks it.
    ///
    /// # Errors
    /// What broke it.
    fn check(&self, events: &[Event]) -> Result<(), String>;
}

/// All invariants.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(leaders::OneLeaderPerTerm),
        Box::new(log_matching::LogMatching),
        Box::new(dense_revisions::DenseRevisions),
        Box::new(durable_writes::DurableWrites),
        Box::new(applied_once::AppliedOnce),
        Box::new(views::Views),
        Box::new(watches::Watches),
        Box::new(linearizable::Linearizable),
    ]
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: &'static str,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not so: {}: {}", self.invariant, self.what)
    }
}

/// Every invariant that does not hold.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let broken = |invariant: Box<dyn Invariant>| {
        invariant.check(events).err().map(|what| Violation { invariant: invariant.name(), what })
    };
    all().into_iter().filter_map(broken).collect()
}

#[cfg(test)]
mod tests;
