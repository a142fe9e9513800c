//! What is done to a member's data directory while no member runs on it: restoring a backup into a new one, and making a
//! cluster of its own out of one that has lost its quorum.

mod offline;
mod recover;
mod restore;

pub use recover::{RecoverPlan, Recovery};
pub use restore::{Restored, restore};

/// How far a new epoch moves the revision. No cluster writes so much between a backup and its restore (30,000 changes a second
/// for a year), and 2^53 has room for thousands of epochs.
const AHEAD: u64 = 1_000_000_000_000;
