//! The state on its own database (RocksDB behind [`Engines`]): every change by revision, and how far the log is applied.
//!
//! Written in the background without a write-ahead log: data and applied index go in one batch, so what a crash leaves is
//! some earlier moment of the state, from which the Raft log is applied again. Snapshots are checkpoints of this database.

mod db;
mod directory;
mod engine;
mod load;
mod record;
mod rocks;
mod sessions;
mod snapshots;
mod writer;

pub(crate) use directory::Directory;
pub(crate) use engine::{Batch, Engine, Engines};
pub(crate) use load::Loaded;
pub(crate) use record::{AppliedEntry, Progress};
pub(crate) use rocks::Rocks;
pub(crate) use snapshots::{SnapshotDir, is_plain};
pub(crate) use writer::{Disk, start};

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod kill_tests;
