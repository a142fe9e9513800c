//! Writers that go on while something else is done to the cluster.

use super::{Measured, key, value};
use crate::client::Client;
use crate::cluster::Cluster;
use futures::future::try_join_all;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// After a failure a writer waits so long.
const PAUSE: Duration = Duration::from_millis(10);

/// Latencies in microseconds and failures since somebody looked, and since when.
struct Seen {
    since: Instant,
    latencies: Vec<u32>,
    failures: u64,
}

impl Seen {
    fn now() -> Self {
        Self { since: Instant::now(), latencies: Vec::new(), failures: 0 }
    }
}

/// They end when it is dropped.
pub(crate) struct Background {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
}

impl Background {
    /// So many writers on one member.
    pub(crate) async fn start(cluster: &Cluster, member: usize, count: usize, size: usize) -> anyhow::Result<Self> {
        let clients = try_join_all((0..count).map(|_| cluster.connect(member))).await?;
        let (seen, stop) = (Arc::new(Mutex::new(Seen::now())), Arc::<AtomicBool>::default());
        let mut writers = JoinSet::new();
        for (number, client) in clients.into_iter().enumerate() {
            writers.spawn(write(client, number, size, seen.clone(), stop.clone()));
        }
        Ok(Self { seen, stop, writers })
    }

    /// What was measured since the last time.
    pub(crate) fn take(&self) -> Measured {
        let Seen { since, latencies, failures } = std::mem::replace(&mut *self.seen.lock(), Seen::now());
        Measured::of(latencies, failures, since.elapsed())
    }

    /// Ends the writers with what they are at.
    pub(crate) async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.writers.join_next().await.is_some() {}
    }
}

async fn write(client: Arc<dyn Client>, number: usize, size: usize, seen: Arc<Mutex<Seen>>, stop: Arc<AtomicBool>) {
    let content = value(size, number as u64);
    for n in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        let done = client.put(&key(number, n), content.clone()).await;
        let took = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        if done.is_ok() {
            seen.lock().latencies.push(took);
        } else {
            seen.lock().failures += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
