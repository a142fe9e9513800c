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

use crate::cluster::{Cluster, System};
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
    fn systems(&self) -> Vec<System> {
        let etcd = self.etcd.iter().map(|program| System::Etcd(program.clone()));
        std::iter::once(System::Raftsman).chain(etcd).collect()
    }
}

/// What was measured of each cluster, ours first.
fn in_order<T>(mut measured: Vec<(Cluster, T)>) -> Vec<(Cluster, T)> {
    measured.sort_by_key(|(cluster, _)| cluster.system != System::Raftsman);
    measured
}

/// Ours and the other's, if both were measured.
fn pair<T>(figures: &[T]) -> Option<(&T, &T)> {
    match figures {
        [ours, theirs] => Some((ours, theirs)),
        _ => None,
    }
}

/// The middle one of several times.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}
