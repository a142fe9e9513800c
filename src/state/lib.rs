//! One replicated, versioned, immutable map, and everything that is true of it without I/O.
//!
//! What lives here: [`Key`], [`Object`], [`Txn`], [`State`] with its pure and deterministic [`State::apply`], the
//! O(1) snapshot [`View`], and the history that watches and exact-revision lists read. What must not: Raft, disks,
//! clocks, randomness, and any knowledge of Kubernetes kinds: whatever a member could compute differently is computed
//! before the proposal and travels in the [`Txn`].

mod change;
mod history;
mod key;
pub mod level;
mod named;
mod object;
mod persistent;
mod sessions;
mod shared_bytes;
mod shared_names;
mod shared_str;
mod state;
mod table;
mod txn;
mod view;

pub use change::Change;
pub use history::{Compacted, Keep};
pub use key::{Key, ObjectName, Resource};
pub use object::{Body, Meta, Object, Owner};
pub use sessions::SessionRecord;
pub use state::{Applied, State};
pub use table::Table;
pub use txn::{Compare, Op, Origin, Outcome, Txn};
pub use view::View;

#[cfg(test)]
mod apply_tests;
