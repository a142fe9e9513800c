//! Clusters of processes on loopback: three members of this store, or of etcd.

mod etcd;
mod launch;
mod process;
mod raftsman;

pub(crate) use launch::{Cluster, Disk, System};
pub(crate) use process::{Usage, own_usage};
