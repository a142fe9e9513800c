//! Nothing is elected because processors are busy.

use super::{Common, in_order, pair};
use crate::cluster::Cluster;
use crate::report::{Machine, print};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From one write to the next, and from one look at the terms to the next.
const PACE: Duration = Duration::from_millis(100);

/// One cluster is watched for so long, then the other.
const TURN: Duration = Duration::from_secs(60);

/// Settings of `bench quiet`.
#[derive(Debug, clap::Args)]
pub struct QuietOptions {
    #[command(flatten)]
    common: Common,
    /// For how long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Busy threads per processor
    #[arg(long, default_value_t = 1)]
    busy: usize,
}

#[derive(Debug, Serialize)]
struct Figures {
    system: &'static str,
    seconds: f64,
    busy_threads: usize,
    elections: u64,
    writes: u64,
    failures: u64,
    slowest_ms: f64,
}

#[derive(Debug, Serialize)]
struct QuietReport {
    machine: Machine,
    figures: Vec<Figures>,
}

/// Threads that compute until they are dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Busy {
    fn start(count: usize) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |number: usize| {
            let stop = stop.clone();
            std::thread::Builder::new().name(format!("busy-{number}")).spawn(move || {
                let mut value = number as u64;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..10_000 {
                        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                    }
                }
            })
        };
        let threads = (0..count).map(one).collect::<Result<_, _>>()?;
        Ok(Self { stop, threads })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// What is measured of one cluster.
#[derive(Default)]
struct Watched {
    seconds: f64,
    /// Its first term: what comes while the other one is watched counts too.
    term: Option<u64>,
    elections: u64,
    writes: u64,
    failures: u64,
    slowest: Duration,
}

/// Measures and prints; an election of ours is an error.
pub(crate) async fn quiet(options: &QuietOptions) -> anyhow::Result<()> {
    let machine = Machine::here();
    let busy_threads = machine.processors * options.busy;
    let time = Duration::from_secs_f64(options.minutes.clamp(0.01, 600.0) * 60.0);
    let mut clusters = Vec::new();
    for system in options.common.systems() {
        clusters.push((Cluster::start(system, &options.common.dir).await?, Watched::default()));
    }
    let busy = Busy::start(busy_threads)?;
    // One after the other, each for a while, so that both meet the same machine.
    let turns = (time.as_secs_f64() / TURN.as_secs_f64()).ceil().max(1.0);
    for _ in 0..turns as u64 {
        for (cluster, watched) in &mut clusters {
            watch(cluster, watched, time.div_f64(turns)).await?;
        }
    }
    drop(busy);
    let figures = in_order(clusters).into_iter().map(|(cluster, watched)| Figures {
        system: cluster.system.name(),
        seconds: watched.seconds,
        busy_threads,
        elections: watched.elections,
        writes: watched.writes,
        failures: watched.failures,
        slowest_ms: watched.slowest.as_secs_f64() * 1000.0,
    });
    let figures: Vec<Figures> = figures.collect();
    let line = |row: &Figures| {
        format!(
            "{}: {} elections in {:.0} s with {} busy threads on {} processors; {} writes, {} failed, slowest {:.0} ms\n",
            row.system,
            row.elections,
            row.seconds,
            row.busy_threads,
            machine.processors,
            row.writes,
            row.failures,
            row.slowest_ms
        )
    };
    let text: String = figures.iter().map(line).collect();
    let ours = figures.iter().filter(|row| row.system == "raftsman").map(|row| row.elections).sum::<u64>();
    let ratio = pair(&figures).map(|(ours, theirs)| ours.slowest_ms / theirs.slowest_ms);
    let ratio = ratio.map(|ratio| format!("raftsman / etcd: slowest write {ratio:.2}\n")).unwrap_or_default();
    print(&(text + &ratio), &QuietReport { machine, figures }, options.common.json.as_deref())?;
    anyhow::ensure!(ours == 0, "{ours} elections although only processors were busy");
    Ok(())
}

/// Writes to one cluster for so long, and counts its elections meanwhile.
async fn watch(cluster: &mut Cluster, watched: &mut Watched, time: Duration) -> anyhow::Result<()> {
    let leader = cluster.leader().await?;
    let client = cluster.connect(leader).await?;
    let now = client.status().await?.term;
    let term = *watched.term.get_or_insert(now);
    let started = Instant::now();
    let mut ticks = tokio::time::interval(PACE);
    while started.elapsed() < time {
        ticks.tick().await;
        let begun = Instant::now();
        match client.put("quiet", crate::load::value(2048, watched.writes)).await {
            Ok(_) => watched.writes += 1,
            Err(_) => watched.failures += 1,
        }
        watched.slowest = watched.slowest.max(begun.elapsed());
    }
    let leader = cluster.leader().await?;
    watched.elections = cluster.status(leader).await.map_or(0, |status| status.term).saturating_sub(term);
    watched.seconds += started.elapsed().as_secs_f64();
    Ok(())
}
