//! A whole cluster on one machine: a network namespace and one process per host, on a bridge.
//!
//! What lives here: `raftsman up`, `down`, `status`, `kubeconfig`, `host` and `image`: planning addresses and files, making
//! namespaces, links and cgroups, starting and killing hosts, and undoing all of it. What must not: anything that a cluster
//! on real machines would need too (that is `cli`, `master`, `node`).
//!
//! All hosts share the machine's mount namespace: pods' mounts must outlive a restart of their agent, and `down` and
//! `host kill` undo them by path. `host cut` takes the host's port of the bridge down: packets vanish in both
//! directions, established connections get no reset.

pub mod command;
pub mod host;
pub mod net;
pub mod plan;

pub use command::{Command, run};
