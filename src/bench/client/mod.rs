//! One client for both systems: what it does, and a connection's way to do it.

mod etcd;
mod raftsman;

use crate::cluster::System;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// A connection attempt.
const CONNECT: Duration = Duration::from_secs(1);

/// What a member says of itself.
#[derive(Clone, Default)]
pub(crate) struct Status {
    /// The newest term it has seen.
    pub(crate) term: u64,
    /// It leads.
    pub(crate) leads: bool,
    /// It knows a leader and answers.
    pub(crate) serves: bool,
    /// The store's own metrics in Prometheus' text form; empty for etcd, whose status has none.
    pub(crate) metrics: String,
}

/// Without the metrics, which are pages.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { term, leads, serves, .. } = self;
        write!(
            f,
            "term {term}, {}, {}",
            if *leads { "leads" } else { "follows" },
            if *serves { "serves" } else { "waits" }
        )
    }
}

impl Status {
    /// Snapshots that it has made, and how long one took on average, in seconds; not known of etcd.
    pub(crate) fn snapshots(&self) -> Option<(f64, f64)> {
        let figure = |what: &str| self.metric(&format!("raftsman_store_snapshot_duration_seconds_{what}"));
        figure("count").zip(figure("sum")).map(|(count, sum)| (count, sum / count.max(1.0)))
    }

    /// One metric without labels; nothing if it is not there.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let mut lines = self.metrics.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(found, _)| *found == name).and_then(|(_, value)| value.parse().ok())
    }
}

/// One change that a watch delivers.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The value after it.
    pub(crate) value: Bytes,
    /// Its revision.
    pub(crate) revision: u64,
}

/// A key's value and its revision.
pub(crate) type Found = Option<(Bytes, u64)>;

/// The operations under load. Errors are for people: the load counts them.
#[async_trait::async_trait]
pub(crate) trait Client: Send + Sync {
    /// Writes; gives the revision.
    async fn put(&self, key: &str, value: Bytes) -> Result<u64, tonic::Status>;

    /// Writes if the key is at this revision (0: holds nothing); gives the new revision, or `None` if it is not.
    async fn put_at(&self, key: &str, value: Bytes, revision: u64) -> Result<Option<u64>, tonic::Status>;

    /// Reads linearizably.
    async fn get(&self, key: &str) -> Result<Found, tonic::Status>;

    /// Every change of every key after a revision.
    async fn watch(&self, after: u64) -> Result<BoxStream<'static, Result<Vec<Seen>, tonic::Status>>, tonic::Status>;

    /// What the member says of itself.
    async fn status(&self) -> Result<Status, tonic::Status>;
}

/// Connects to a member.
pub(crate) async fn connect(system: &System, address: SocketAddr) -> anyhow::Result<Arc<dyn Client>> {
    let channel: Channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .connect()
        .await?;
    Ok(match system {
        System::Raftsman => Arc::new(raftsman::RaftsmanClient::new(channel)),
        System::Etcd(_) => Arc::new(etcd::EtcdClient::new(channel)),
    })
}
