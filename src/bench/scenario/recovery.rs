//! How long a member takes to come back.

use super::{Common, in_order, median, pair};
use crate::cluster::{Cluster, Disk, System};
use crate::load::{Background, Measured, fill};
use crate::report::{Machine, print};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Restarts of which the median counts.
const RESTARTS: usize = 3;

/// The load goes on undisturbed for so long before a member is wiped.
const BEFORE: Duration = Duration::from_secs(5);

/// A member that comes back is waited for so long, and for a second more for so many objects.
const PATIENCE: Duration = Duration::from_secs(60);
const OBJECTS_A_SECOND: u64 = 1_000;

/// Settings of `bench recovery`.
#[derive(Debug, clap::Args)]
pub struct RecoveryOptions {
    #[command(flatten)]
    common: Common,
    /// Objects that the cluster holds
    #[arg(long, default_value_t = 100_000)]
    objects: u64,
    /// Bytes of an object
    #[arg(long, default_value_t = 2048)]
    size: usize,
    /// So many writers on the leader while a wiped member comes back
    #[arg(long, value_name = "N", default_value_t = 0)]
    load: usize,
}

/// Times in seconds, each until the member gives linearizable answers.
#[derive(Debug, Serialize)]
struct Figures {
    system: &'static str,
    objects: u64,
    fill_seconds: f64,
    disk_bytes: u64,
    /// The median of several.
    restart_seconds: f64,
    /// Snapshots that the leader made meanwhile, and how long one took on average; not known of etcd.
    snapshots: Option<(f64, f64)>,
    /// A member whose disk was wiped; not for etcd, where it must be removed and added by hand.
    wiped_seconds: Option<f64>,
    /// Writes on the leader before a member was wiped, and until it served again.
    load: Option<(Measured, Measured)>,
}

#[derive(Debug, Serialize)]
struct RecoveryReport {
    machine: Machine,
    figures: Vec<Figures>,
    /// Ours divided by the other's: time to fill, and to restart.
    ratios: Option<(f64, f64)>,
}

/// What happened to one cluster.
#[derive(Default)]
struct Taken {
    fill: f64,
    disk: u64,
    restarts: Vec<f64>,
    snapshots: Option<(f64, f64)>,
    wiped: Option<f64>,
    load: Option<(Measured, Measured)>,
}

/// Measures and prints.
pub(crate) async fn recovery(options: &RecoveryOptions) -> anyhow::Result<()> {
    let machine = Machine::here();
    let mut clusters = Vec::new();
    for system in options.common.systems() {
        clusters.push((Cluster::start(system, &options.common.dir).await?, Taken::default()));
    }
    // Step by step one after the other, so that both meet the same machine.
    for (cluster, taken) in &mut clusters {
        filled(cluster, taken, options).await?;
    }
    for _ in 0..RESTARTS {
        clusters.reverse();
        for (cluster, taken) in &mut clusters {
            restarted(cluster, taken, options).await?;
        }
    }
    for (cluster, taken) in &mut clusters {
        if cluster.system == System::Raftsman {
            wiped(cluster, taken, options).await?;
        }
    }
    let figures = in_order(clusters).into_iter().map(|(cluster, taken)| Figures {
        system: cluster.system.name(),
        objects: options.objects,
        fill_seconds: taken.fill,
        disk_bytes: taken.disk,
        restart_seconds: median(taken.restarts),
        snapshots: taken.snapshots,
        wiped_seconds: taken.wiped,
        load: taken.load,
    });
    let figures: Vec<Figures> = figures.collect();
    let mut text: String = figures.iter().map(|row| told(row, options)).collect();
    let ratios = pair(&figures)
        .map(|(ours, theirs)| (ours.fill_seconds / theirs.fill_seconds, ours.restart_seconds / theirs.restart_seconds));
    if let Some((fill, restart)) = ratios {
        text.push_str(&format!("raftsman / etcd: writing {fill:.2}, restart {restart:.2}\n"));
    }
    let failures = failures(&figures);
    print(&text, &RecoveryReport { machine, figures, ratios }, options.common.json.as_deref())?;
    anyhow::ensure!(failures == 0, "{failures} writes failed although only a member came back");
    Ok(())
}

/// Of the load, all in all.
fn failures(figures: &[Figures]) -> u64 {
    let loads = figures.iter().filter_map(|row| row.load.as_ref());
    loads.map(|(before, during)| before.failures + during.failures).sum()
}

fn told(row: &Figures, options: &RecoveryOptions) -> String {
    let wiped = row.wiped_seconds.map_or_else(String::new, |wiped| format!(", wiped and back {wiped:.2} s"));
    let snapshots = row.snapshots.map_or_else(String::new, |(n, took)| format!(", {n} snapshots of {took:.3} s"));
    let mut text = format!(
        "{}: {} objects of {} bytes: written in {:.1} s, {} MiB on disk, restart {:.2} s{wiped}{snapshots}\n",
        row.system,
        row.objects,
        options.size,
        row.fill_seconds,
        row.disk_bytes >> 20,
        row.restart_seconds
    );
    if let Some((before, during)) = &row.load {
        for (when, load) in [("before", before), ("while it comes back", during)] {
            text.push_str(&format!(
                "  {} writers {when}: {:.0} writes a second, p50 {:.1} ms, p99 {:.1} ms, {} failed\n",
                options.load, load.per_second, load.p50_ms, load.p99_ms, load.failures
            ));
        }
    }
    text
}

fn patience(options: &RecoveryOptions) -> Duration {
    PATIENCE + Duration::from_secs(options.objects / OBJECTS_A_SECOND)
}

async fn filled(cluster: &mut Cluster, taken: &mut Taken, options: &RecoveryOptions) -> anyhow::Result<()> {
    let leader = cluster.leader().await?;
    let client = cluster.connect(leader).await?;
    let started = Instant::now();
    fill(&client, options.objects, options.size).await?;
    taken.fill = started.elapsed().as_secs_f64();
    let status = cluster.status(leader).await.unwrap_or_default();
    taken.snapshots = status.snapshots();
    let member = cluster.follower().await?;
    cluster.serving_within(member, patience(options)).await
}

async fn restarted(cluster: &mut Cluster, taken: &mut Taken, options: &RecoveryOptions) -> anyhow::Result<()> {
    let member = cluster.follower().await?;
    cluster.kill(member);
    let Disk(bytes) = cluster.disk(member);
    taken.disk = bytes;
    let started = Instant::now();
    cluster.run(member)?;
    cluster.serving_within(member, patience(options)).await?;
    taken.restarts.push(started.elapsed().as_secs_f64());
    Ok(())
}

async fn wiped(cluster: &mut Cluster, taken: &mut Taken, options: &RecoveryOptions) -> anyhow::Result<()> {
    let leader = cluster.leader().await?;
    let member = cluster.follower().await?;
    let mut load = None;
    if options.load > 0 {
        let writers = Background::start(cluster, leader, options.load, options.size).await?;
        tokio::time::sleep(BEFORE / 4).await;
        drop(writers.take());
        tokio::time::sleep(BEFORE).await;
        load = Some((writers.take(), writers));
    }
    cluster.kill(member);
    cluster.wipe(member)?;
    let started = Instant::now();
    cluster.run(member)?;
    cluster.serving_within(member, patience(options)).await?;
    taken.wiped = Some(started.elapsed().as_secs_f64());
    if let Some((before, writers)) = load {
        taken.load = Some((before, writers.take()));
        writers.end().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_under_load_is_counted_and_told() {
        let load = |failures: u64, p99_ms: f64| Measured { failures, p99_ms, ..Measured::default() };
        let row = |system: &'static str, load: Option<(Measured, Measured)>| Figures {
            system,
            objects: 1,
            fill_seconds: 1.0,
            disk_bytes: 1,
            restart_seconds: 1.0,
            snapshots: None,
            wiped_seconds: Some(1.0),
            load,
        };
        let ours = row("raftsman", Some((load(1, 3.0), load(2, 41.5))));
        let common = Common { dir: "/".into(), json: None, etcd: None };
        let text = told(&ours, &RecoveryOptions { common, objects: 1, size: 1, load: 8 });
        assert!(text.contains("8 writers while it comes back") && text.contains("p99 41.5 ms, 2 failed"), "{text}");
        assert_eq!(failures(&[ours, row("etcd", None)]), 3);
        assert_eq!(failures(&[row("raftsman", None)]), 0);
    }
}
