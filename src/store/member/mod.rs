//! A running member: who leads, linearizable reads, proposals, and the duties that go with it.

mod admission;
pub(crate) mod bootstrap;
mod compact_log;
mod core;
mod duties;
mod figures;
mod forward;
mod leading;
mod lease;
mod membership;
mod origins;
mod own_writes;
mod priority;
mod propose;
mod reads;
mod runtime;
mod stall;

pub(crate) use admission::Admission;
pub(crate) use compact_log::compact_log;
pub(crate) use core::{Core, Seen};
pub(crate) use duties::{compact_history, watch_health};
pub(crate) use forward::{Attempt, Forwarding, serve_forwarding};
pub(crate) use leading::follow_leadership;
pub(crate) use lease::Lease;
pub(crate) use membership::{RESOURCE as MEMBERS, is_gone, is_gone_by_name, tend_members, to_vote};
pub use membership::{last_member_id, was_removed};
pub(crate) use origins::Origins;
pub(crate) use own_writes::OwnWrites;
pub use priority::raise_priority;
pub(crate) use reads::{ReadGate, serve_reads};
pub(crate) use runtime::RaftThread;
pub(crate) use stall::watch_disk;
