//! The configuration file of one host (`raftsman serve --config FILE`) and of the cluster it belongs to.

mod backup;
mod host;
mod join;
mod network;
mod promises;
mod timing;

pub use backup::{BackupConfig, Every};
pub use host::{CERTIFICATE_END_ANNOTATION, HostConfig, MasterAddress, Pki, Ports, Role};
pub use join::{AuthorityAnswer, JoinRequest, Joined};
pub use network::NetworkConfig;
pub use promises::promise_page;
pub use timing::{FencingMode, RaftProfile, Timing};

#[cfg(test)]
mod config_tests;
