//! A master process: the rooms wired together.
//!
//! What lives here: opening the store, serving API and peers, the leader's duties (which begin and end with a
//! leadership), the streams of nodes, backups, and what is done to a stopped master's data directory. What must not: rules of kinds, reconciling (controllers plan, this room executes),
//! or anything about containers.

mod backups;
mod duties;
mod error;
mod level;
mod members;
mod nodes;
mod offline;
mod operations;
mod peers;
mod pki;
mod serve;
mod vip;

pub use backups::ScheduledBackups;
pub use error::MasterError;
pub use offline::{Recovery, restore};
pub use pki::{Identity, Pems};
pub use serve::run;
