//! What is done to a member's data directory while no member runs on it: restoring a backup into a new one, and making a
//! cluster of its own out of one that has lost its quorum.

mod beginning;
mod offline;
mod recover;
mod restore;

pub use recover::{RecoverPlan, Recovery};
pub use restore::{Restored, restore};
