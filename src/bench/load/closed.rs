//! Closed loops: every client does one operation after the other.

use super::{Measured, key, value};
use crate::client::Client;
use crate::cluster::{Cluster, Usage, own_usage};
use bytes::Bytes;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Clients that share one connection.
const PER_CONNECTION: usize = 8;

/// After a failure a client waits so long.
const PAUSE: Duration = Duration::from_millis(10);

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Write.
    Put,
    /// Write what nobody else has written since this client did.
    PutAt,
    /// Read linearizably.
    Get,
}

/// When they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// After so long; what happened in a quarter as long before is not counted.
    Time(Duration),
    /// After so many operations of each client.
    Operations(u64),
}

/// A load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// What is done.
    pub(crate) operation: Operation,
    /// By how many at once.
    pub(crate) clients: usize,
    /// For how long.
    pub(crate) until: Until,
    /// Bytes of a value.
    pub(crate) size: usize,
}

/// Puts a load on one member.
///
/// # Errors
/// The member cannot be connected to. Operations that fail are counted.
pub(crate) async fn closed_loop(cluster: &Cluster, member: usize, load: Load) -> anyhow::Result<Measured> {
    let connections = load.clients.div_ceil(PER_CONNECTION).max(1);
    let connections = try_join_all((0..connections).map(|_| cluster.connect(member))).await?;
    let started = Instant::now();
    let window = match load.until {
        Until::Time(time) => Some((started + time / 4, started + time / 4 + time)),
        Until::Operations(_) => None,
    };
    let clients: Vec<_> = (0..load.clients)
        .map(|number| {
            let client = connections[number % connections.len()].clone();
            tokio::spawn(one(client, number, load, window))
        })
        .collect();
    if let Some((begin, _)) = window {
        tokio::time::sleep_until(begin).await;
    }
    let before = (cluster.usage(), own_usage());
    let mut after = None;
    if let Some((_, end)) = window {
        tokio::time::sleep_until(end).await;
        after = Some((cluster.usage(), own_usage()));
    }
    let (mut latencies, mut failures) = (Vec::new(), 0);
    for client in clients {
        let (own, failed) = client.await?;
        latencies.extend(own);
        failures += failed;
    }
    let took = window.map_or_else(|| started.elapsed(), |(begin, end)| end - begin);
    let mut measured = Measured::of(latencies, failures, took);
    let after = after.unwrap_or_else(|| (cluster.usage(), own_usage()));
    let (members, threads) = used(&before.0, &after.0);
    measured.members_cpu_us = measured.per_operation(members);
    measured.client_cpu_us = measured.per_operation(used(&before.1, &after.1).0);
    measured.threads_cpu_us = threads.into_iter().map(|(name, cpu)| (name, measured.per_operation(cpu))).collect();
    Ok(measured)
}

fn used(before: &Usage, after: &Usage) -> (Duration, BTreeMap<String, Duration>) {
    let earlier = |name: &str| before.threads.get(name).copied().unwrap_or_default();
    let threads = after.threads.iter().map(|(name, cpu)| (name.clone(), cpu.saturating_sub(earlier(name))));
    (after.cpu.saturating_sub(before.cpu), threads.filter(|(_, cpu)| !cpu.is_zero()).collect())
}

/// One client: latencies in microseconds of what lies within the window, and how much failed.
async fn one(
    client: Arc<dyn Client>,
    number: usize,
    load: Load,
    window: Option<(Instant, Instant)>,
) -> (Vec<u32>, u64) {
    let content = value(load.size, number as u64);
    let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
    let (mut latencies, mut failures) = (Vec::new(), 0);
    for n in 0u64.. {
        match (load.until, window) {
            (Until::Operations(count), _) if n >= count => break,
            (_, Some((_, end))) if Instant::now() >= end => break,
            _ => {}
        }
        let started = Instant::now();
        let done = operate(&*client, load.operation, key(number, n), content.clone(), &mut revisions).await;
        let ended = Instant::now();
        if window.is_some_and(|(begin, end)| started < begin || ended > end) {
            continue;
        }
        match done {
            Ok(()) => latencies.push(u32::try_from((ended - started).as_micros()).unwrap_or(u32::MAX)),
            Err(status) => {
                tracing::debug!(%status, "an operation failed");
                failures += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    (latencies, failures)
}

async fn operate(
    client: &dyn Client,
    operation: Operation,
    key: String,
    content: Bytes,
    revisions: &mut BTreeMap<String, u64>,
) -> Result<(), tonic::Status> {
    match operation {
        Operation::Put => client.put(&key, content).await.map(drop),
        Operation::Get => client.get(&key).await.map(drop),
        Operation::PutAt => {
            let known = match revisions.get(&key) {
                Some(revision) => *revision,
                // Written by an earlier load; asked for once.
                None => client.get(&key).await?.map_or(0, |(_, revision)| revision),
            };
            let written = client.put_at(&key, content, known).await?;
            let revision = written.ok_or_else(|| tonic::Status::aborted(format!("{key} is not at {known}")))?;
            revisions.insert(key, revision);
            Ok(())
        }
    }
}
