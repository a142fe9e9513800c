//! The leader is killed, again and again.

use super::{Common, in_order, pair};
use crate::cluster::Cluster;
use crate::report::{Machine, print};
use serde::Serialize;
use std::time::{Duration, Instant};

/// A write that does not end within this is given up and done again.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a failure the writer waits so long.
const PAUSE: Duration = Duration::from_millis(2);

/// The cluster serves undisturbed for so long before a kill, that many times a heartbeat.
const SETTLED: Duration = Duration::from_millis(500);

/// Settings of `bench failover`.
#[derive(Debug, clap::Args)]
pub struct FailoverOptions {
    #[command(flatten)]
    common: Common,
    /// How often the leader is killed
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Bytes of a value
    #[arg(long, default_value_t = 2048)]
    size: usize,
    /// Fail when our 99th percentile is above this many milliseconds
    #[arg(long, value_name = "MS")]
    limit_ms: Option<f64>,
}

/// Times from the kill to the next acknowledged write through another member, in milliseconds.
#[derive(Debug, Serialize)]
struct Figures {
    system: &'static str,
    kills: usize,
    p50_ms: f64,
    p99_ms: f64,
    worst_ms: f64,
    all_ms: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct FailoverReport {
    machine: Machine,
    figures: Vec<Figures>,
    /// Ours divided by the other's: p50 and p99.
    ratios: Option<(f64, f64)>,
}

/// Measures and prints.
pub(crate) async fn failover(options: &FailoverOptions) -> anyhow::Result<()> {
    let machine = Machine::here();
    let mut clusters = Vec::new();
    for system in options.common.systems() {
        clusters.push((Cluster::start(system, &options.common.dir).await?, Vec::new()));
    }
    for number in 1..=options.kills.max(1) {
        // One after the other, so that both meet the same machine; neither always comes first.
        clusters.reverse();
        for (cluster, all) in &mut clusters {
            let took = once(cluster, number, options.size).await?;
            eprintln!("{} {number}: {took:?}", cluster.system.name());
            all.push(took.as_secs_f64() * 1000.0);
        }
    }
    let figures: Vec<Figures> =
        in_order(clusters).into_iter().map(|(cluster, all)| summary(cluster.system.name(), all)).collect();
    let mut text = String::new();
    for row in &figures {
        text.push_str(&format!(
            "{}: kill -9 of the leader to the next acknowledged write, {} kills: p50 {:.0} ms, p99 {:.0} ms, worst {:.0} ms\n",
            row.system, row.kills, row.p50_ms, row.p99_ms, row.worst_ms
        ));
    }
    let ratios = pair(&figures).map(|(ours, theirs)| (ours.p50_ms / theirs.p50_ms, ours.p99_ms / theirs.p99_ms));
    if let Some((p50, p99)) = ratios {
        text.push_str(&format!("raftsman / etcd: p50 {p50:.2}, p99 {p99:.2}\n"));
    }
    let p99 = figures.first().map_or(0.0, |ours| ours.p99_ms);
    print(&text, &FailoverReport { machine, figures, ratios }, options.common.json.as_deref())?;
    if let Some(limit) = options.limit_ms {
        anyhow::ensure!(p99 <= limit, "p99 is {p99:.0} ms, and {limit:.0} ms is the limit");
    }
    Ok(())
}

async fn once(cluster: &mut Cluster, number: usize, size: usize) -> anyhow::Result<Duration> {
    let leader = cluster.leader().await?;
    let survivor = cluster.follower().await?;
    let client = cluster.connect(survivor).await?;
    let content = crate::load::value(size, number as u64);
    client.put("before", content.clone()).await?;
    tokio::time::sleep(SETTLED).await;
    let started = Instant::now();
    cluster.kill(leader);
    loop {
        let write = client.put("after", content.clone());
        if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, write).await {
            break;
        }
        anyhow::ensure!(started.elapsed() < 6 * PATIENCE, "no write succeeds after the leader's end");
        tokio::time::sleep(PAUSE).await;
    }
    let took = started.elapsed();
    cluster.run(leader)?;
    cluster.serving(leader).await?;
    Ok(took)
}

fn summary(system: &'static str, all_ms: Vec<f64>) -> Figures {
    let mut sorted = all_ms.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    };
    Figures { system, kills: all_ms.len(), p50_ms: at(0.5), p99_ms: at(0.99), worst_ms: at(1.0), all_ms }
}
