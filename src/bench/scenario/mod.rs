//! The measurements that the command line names.

mod failover;
mod quiet;
mod recovery;
mod store;

pub use failover::FailoverOptions;
pub(crate) use failover::failover;
pub use quiet::QuietOptions;
pub(crate) use quiet::quiet;
pub use recovery::RecoveryOptions;
pub(crate) use recovery::recovery;
pub use store::StoreOptions;
pub(crate) use store::store;

use std::path::PathBuf;

/// Where clusters live and what is written about them.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Directory on the disk to measure; everything made there is removed again
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub(crate) dir: PathBuf,
    /// Write all figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Measure this etcd program too, interleaved
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) etcd: Option<PathBuf>,
}

impl Common {
    /// What is to be measured, ours first.
    fn systems(&self) -> Vec<crate::cluster::System> {
        use crate::cluster::System;
        let etcd = self.etcd.iter().map(|program| System::Etcd(program.clone()));
        std::iter::once(System::Raftsman).chain(etcd).collect()
    }
}
