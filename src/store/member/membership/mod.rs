//! Who belongs to the store: changes at run time, one after the other, planned by the leader.
//!
//! The membership itself is Raft's: an entry in the log, and two of them (a joint one and its end) when the voters change.
//! Beside it the state holds a record per member, written before the membership changes. It keeps ids from being used
//! twice, makes it certain that a member was removed, and tells the next leader what was begun. So whatever a leader dies
//! of in the middle of a change, the next one ends it: a joint membership goes on to where it was going, a removed voter
//! that is a learner for a moment goes, a learner that wants to vote does so when it has caught up. A change of which
//! nothing had reached the log is forgotten.

mod change;
mod keys;
mod plan;
mod record;
mod tend;

pub use keys::{last_member_id, was_removed};
pub(crate) use record::{RESOURCE, is_gone, is_gone_by_name, to_vote};
pub(crate) use tend::tend_members;

#[cfg(test)]
mod plan_tests;
