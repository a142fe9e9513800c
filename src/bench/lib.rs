//! Measurements of the replicated store, and of etcd by the same client code: `raftsman bench`.
//!
//! What lives here: members as processes of their own on loopback, the load that clients put on them, reports. What must
//! not: anything that a running cluster needs, and a number that no command here measures.
//!
//! Every member is a process with its own data directory on one disk, fsync on, mutual TLS between members; clients are
//! one further process (this one) and pay a gRPC round trip without TLS, as clients of etcd do here. CPU time is counted
//! over all processes of a cluster and for the client apart, so that figures hold on a machine that does other work too.

mod client;
mod cluster;
mod command;
mod load;
mod member;
mod proto;
mod report;
mod scenario;

pub use command::{Command, run};
