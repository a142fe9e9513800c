//! How long a member takes to come back.

use super::Common;
use crate::cluster::{Cluster, Disk, System};
use crate::load::fill;
use crate::report::{Machine, print};
use serde::Serialize;
use std::time::Instant;

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
}

/// Times in seconds, each until the member gives linearizable answers.
#[derive(Debug, Serialize)]
struct Figures {
    system: &'static str,
    objects: u64,
    fill_seconds: f64,
    disk_bytes: u64,
    restart_seconds: f64,
    /// Snapshots that the leader made meanwhile, and how long one took on average; not known of etcd.
    snapshots: Option<(f64, f64)>,
    /// A member whose disk was wiped; not for etcd, where it must be removed and added by hand.
    wiped_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RecoveryReport {
    machine: Machine,
    figures: Vec<Figures>,
}

/// Measures and prints.
pub(crate) async fn recovery(options: &RecoveryOptions) -> anyhow::Result<()> {
    let machine = Machine::here();
    let mut figures = Vec::new();
    for system in options.common.systems() {
        figures.push(one(system, options).await?);
    }
    let mut text = String::new();
    for row in &figures {
        let wiped = row.wiped_seconds.map_or_else(String::new, |wiped| format!(", wiped and back {wiped:.2} s"));
        let snapshots = row.snapshots.map_or_else(String::new, |(n, took)| format!(", {n} snapshots of {took:.3} s"));
        text.push_str(&format!(
            "{}: {} objects of {} bytes: written in {:.1} s, {} MiB on disk, restart {:.2} s{wiped}{snapshots}\n",
            row.system,
            row.objects,
            options.size,
            row.fill_seconds,
            row.disk_bytes >> 20,
            row.restart_seconds
        ));
    }
    print(&text, &RecoveryReport { machine, figures }, options.common.json.as_deref())
}

async fn one(system: System, options: &RecoveryOptions) -> anyhow::Result<Figures> {
    let (name, ours) = (system.name(), system == System::Raftsman);
    let mut cluster = Cluster::start(system, &options.common.dir).await?;
    let leader = cluster.leader().await?;
    let member = cluster.follower().await?;
    let client = cluster.connect(leader).await?;
    let started = Instant::now();
    fill(&client, options.objects, options.size).await?;
    let fill_seconds = started.elapsed().as_secs_f64();
    cluster.serving(member).await?;
    let status = cluster.status(leader).await.unwrap_or_default();
    let snapshot = |what: &str| status.metric(&format!("raftsman_store_snapshot_duration_seconds_{what}"));
    let snapshots = snapshot("count").zip(snapshot("sum")).map(|(count, sum)| (count, sum / count.max(1.0)));

    cluster.kill(member);
    let Disk(disk_bytes) = cluster.disk(member);
    let started = Instant::now();
    cluster.run(member)?;
    cluster.serving(member).await?;
    let restart_seconds = started.elapsed().as_secs_f64();

    let mut wiped_seconds = None;
    if ours {
        cluster.kill(member);
        cluster.wipe(member)?;
        let started = Instant::now();
        cluster.run(member)?;
        cluster.serving(member).await?;
        wiped_seconds = Some(started.elapsed().as_secs_f64());
    }
    Ok(Figures {
        system: name,
        objects: options.objects,
        fill_seconds,
        disk_bytes,
        restart_seconds,
        snapshots,
        wiped_seconds,
    })
}
