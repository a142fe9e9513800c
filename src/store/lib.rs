//! The replicated store: [`raftsman_state::State`] under Raft, on RocksDB.
//!
//! What lives here: openraft's types, the log and the state on disk, the peer transport, snapshots, linearizable reads,
//! forwarding to the leader. What must not: Kubernetes kinds, HTTP, controllers; and no decision about what a
//! transaction means: `state` alone knows.
//!
//! # How a master uses it
//!
//! 1. `let store = RaftStore::open(StoreConfig::new(cluster_id, member, members, data_dir, tls)).await?`. It returns as
//!    soon as the disk is loaded; electing a leader (and, with an empty disk, finding the cluster) goes on by itself.
//!    Everyone else is given it as `Arc<dyn border::Store>`.
//! 2. Serve the peer port by [`RaftStore::serve_peers`], at once: members with empty disks wait
//!    for one another. The service itself admits only certificates of organisation [`MASTERS`] and checks the cluster's
//!    id; [`require_organisation`] does the same for other services on that port.
//! 3. Leader's duties start and stop with [`border::Store::leadership`]. Members and their addresses: [`border::Store::status`].
//! 4. When [`RaftStore::ended`] shows an error, the process should end with it. [`RaftStore::shutdown`] hands leadership
//!    over and flushes.

mod alarm;
mod backup;
pub mod border;
mod codec;
mod config;
mod disk;
mod environment;
pub mod files;
#[cfg(test)]
mod joined;
mod lineage;
mod log;
mod member;
pub mod memory;
mod metrics;
mod peers;
mod raft;
mod register;
mod rt;
pub mod sim;
mod store;

pub use backup::{RecoverPlan, Recovery, Restored, restore};
pub use config::{HistoryLimits, MemberAddress, PeerTls, Profile, StoreConfig};
pub use member::{last_member_id, raise_priority, was_removed};
pub use peers::{MASTERS, PeerPort, PeersService, require_organisation};
pub use register::Register;
pub use store::RaftStore;
