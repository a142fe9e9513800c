//! Many watchers of few writes.

use super::{Measured, key, value};
use crate::client::{Client, Seen};
use crate::cluster::{Cluster, own_usage};
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Watches that share one connection.
const PER_CONNECTION: usize = 8;

/// Deliveries are waited for so long after the last write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Digits of the time at which a value was written, at its beginning.
const STAMP: usize = 16;

/// Watchers on one member, one writer on another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FanOut {
    /// How many watch.
    pub(crate) watchers: usize,
    /// How many writes there are.
    pub(crate) writes: u64,
    /// From one write to the next.
    pub(crate) pace: Duration,
    /// Bytes of a value.
    pub(crate) size: usize,
}

/// Writes at a steady pace and measures from the beginning of each write to its delivery to each watcher. Every delivery
/// is an operation; one that does not come, comes twice or out of order is a failure.
///
/// # Errors
/// A member cannot be connected to, or refuses a watch or a write.
pub(crate) async fn fan_out(
    cluster: &Cluster,
    watched: usize,
    written: usize,
    load: FanOut,
) -> anyhow::Result<Measured> {
    let connections = load.watchers.div_ceil(PER_CONNECTION).max(1);
    let connections = try_join_all((0..connections).map(|_| cluster.connect(watched))).await?;
    let writer = cluster.connect(written).await?;
    let epoch = Instant::now();
    let base = writer.put(&key(0, 0), value(load.size, 0)).await?;
    let mut watchers = Vec::new();
    for number in 0..load.watchers {
        let watch = connections[number % connections.len()].watch(base).await.context("a watch was refused")?;
        watchers.push(tokio::spawn(receive(watch, load.writes, epoch)));
    }
    let before = (cluster.usage(), own_usage());
    let started = Instant::now();
    write(&writer, load, epoch).await?;
    let (mut latencies, mut failures) = (Vec::new(), 0);
    let until = Instant::now() + PATIENCE;
    for watcher in watchers {
        let own = tokio::time::timeout_at(until, watcher).await;
        let own = own.unwrap_or_else(|_| Ok(Vec::new()))?;
        failures += load.writes - own.len() as u64;
        latencies.extend(own);
    }
    let mut measured = Measured::of(latencies, failures, started.elapsed());
    measured.members_cpu_us = measured.per_operation(cluster.usage().cpu.saturating_sub(before.0.cpu));
    measured.client_cpu_us = measured.per_operation(own_usage().cpu.saturating_sub(before.1.cpu));
    Ok(measured)
}

async fn write(writer: &Arc<dyn Client>, load: FanOut, epoch: Instant) -> anyhow::Result<()> {
    let content = value(load.size.saturating_sub(STAMP), 1);
    let mut ticks = tokio::time::interval(load.pace);
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..load.writes {
        ticks.tick().await;
        let (writer, content) = (writer.clone(), content.clone());
        writes.spawn(async move { writer.put(&key(0, n), stamped(epoch, &content)).await });
    }
    while let Some(done) = writes.join_next().await {
        done??;
    }
    Ok(())
}

fn stamped(epoch: Instant, content: &Bytes) -> Bytes {
    let mut out = BytesMut::with_capacity(STAMP + content.len());
    out.extend_from_slice(format!("{:0STAMP$}", epoch.elapsed().as_micros()).as_bytes());
    out.extend_from_slice(content);
    out.freeze()
}

/// Latencies of the deliveries in order, until all have come or one is wrong.
async fn receive(
    mut watch: futures::stream::BoxStream<'static, Result<Vec<Seen>, tonic::Status>>,
    writes: u64,
    epoch: Instant,
) -> Vec<u32> {
    let mut latencies = Vec::new();
    let mut last = 0;
    while (latencies.len() as u64) < writes {
        let Some(Ok(batch)) = watch.next().await else { break };
        let now = epoch.elapsed().as_micros();
        for seen in batch {
            let stamp = seen.value.get(..STAMP).and_then(|text| std::str::from_utf8(text).ok());
            let Some(begun) = stamp.and_then(|text| text.parse::<u128>().ok()).filter(|_| seen.revision > last) else {
                return latencies;
            };
            last = seen.revision;
            latencies.push(u32::try_from(now.saturating_sub(begun)).unwrap_or(u32::MAX));
        }
    }
    latencies
}
