//! What a local cluster consists of: pure, made once, kept in `cluster.yaml`.

mod layout;
mod ranges;

pub use layout::{LocalCluster, LocalHost, MAX_MASTERS, MAX_NODES, PlanError, check_name};
pub use ranges::{Ranges, choose_ranges, overlapped};

#[cfg(test)]
mod plan_tests;
