//! Kubeconfig files: the one that we write, and finding and reading the user's.
//!
//! A file of ours has one context per master (`NAME-m1`, …) and one named after the cluster. The latter's cluster entry
//! carries all masters' URLs in an extension named [`MASTERS_EXTENSION`], so that our own commands move on when one is
//! down; other clients ignore it and talk to the first.

mod access;
mod admin;
mod options;
mod overrides;

pub use access::{Access, AccessError};
pub use admin::admin_kubeconfig;
pub use options::Target;
pub use overrides::Overrides;

/// Name of the kubeconfig extension on a cluster entry that lists all masters: `{"servers": ["https://…", …]}`.
pub const MASTERS_EXTENSION: &str = "raftsman.io/masters";

#[cfg(test)]
mod kubeconfig_tests;
