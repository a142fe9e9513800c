//! Writes, reads and watches under load.

use super::Common;
use crate::cluster::Cluster;
use crate::load::{FanOut, Load, Measured, Operation, Until, closed_loop, fan_out};
use crate::report::{GOALS, Goal, Machine, Report, Restart, Row, Work, print, table};
use std::time::{Duration, Instant};

/// Watchers of the fan-out, and its writes per second.
const WATCHERS: usize = 100;
const PACE: Duration = Duration::from_millis(10);

/// Settings of `bench store`.
#[derive(Debug, clap::Args)]
pub struct StoreOptions {
    #[command(flatten)]
    common: Common,
    /// Rounds; medians are taken over them
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement, after a quarter of it to warm up
    #[arg(long, default_value_t = 4.0, value_parser = seconds)]
    seconds: f64,
    /// So many operations of each client instead of a time
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    operations: Option<u64>,
    /// Bytes of a value
    #[arg(long, default_value_t = 2048)]
    size: usize,
    /// Only these, such as write-64-leader,read-64-follower
    #[arg(long, value_delimiter = ',', value_name = "WORK")]
    only: Vec<String>,
    /// Say which of these ratios to etcd are reached, and by how much; without a value the goals that the store has
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "WORK=RATIO",
        num_args = 0..,
        require_equals = true,
        default_missing_value = GOALS,
        requires = "etcd"
    )]
    goals: Vec<Goal>,
    /// Show the members' CPU time by thread
    #[arg(long)]
    threads: bool,
}

/// A positive time.
fn seconds(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.01..=3600.0).contains(&value) { Ok(value) } else { Err("between 0.01 and 3600 seconds".into()) }
}

/// Everything that one round measures.
fn all_works() -> Vec<Work> {
    let work = |operation, clients, through| Work { operation, clients, through };
    let mut works = Vec::new();
    for through in ["leader", "follower"] {
        works.extend([1, 64, 256].map(|clients| work("write", clients, through)));
    }
    works.push(work("compare-and-write", 64, "leader"));
    works.extend(["leader", "follower"].map(|through| work("read", 64, through)));
    works.push(work("watch", WATCHERS, "follower"));
    works
}

/// Measures and prints.
pub(crate) async fn store(options: &StoreOptions) -> anyhow::Result<()> {
    let works = chosen(&options.only)?;
    let named: Vec<String> = options.goals.iter().map(|goal| goal.work().to_owned()).collect();
    chosen(&named)?;
    let machine = Machine::here();
    let mut rows = Vec::new();
    let mut restarts = Vec::new();
    let mut elections = 0;
    for round in 1..=options.rounds.max(1) {
        let mut clusters = Vec::new();
        for system in options.common.systems() {
            clusters.push(Cluster::start(system, &options.common.dir).await?);
        }
        // Neither always comes first.
        if round % 2 == 0 {
            clusters.reverse();
        }
        let before = terms(&mut clusters).await?;
        for work in &works {
            for cluster in &mut clusters {
                let measured = measure(cluster, work, options).await?;
                let system = cluster.system.name();
                eprintln!("round {round}: {} {system} {:.0} per second", work.name(), measured.per_second);
                rows.push(Row { system, work: work.clone(), round, measured });
            }
        }
        elections += terms(&mut clusters).await? - before;
        for cluster in &mut clusters {
            restarts.push(restarted(cluster).await?);
        }
    }
    let report = Report::new(machine, options.size, elections, rows, restarts, &options.goals);
    print(&table(&report, options.threads), &report, options.common.json.as_deref())
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<Work>> {
    let all = all_works();
    let names: Vec<String> = all.iter().map(Work::name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        anyhow::bail!("nothing is measured as {unknown:?}; there are: {}", names.join(", "));
    }
    Ok(all.into_iter().filter(|work| only.is_empty() || only.contains(&work.name())).collect())
}

/// What a round has left is loaded again by a member that restarts.
async fn restarted(cluster: &mut Cluster) -> anyhow::Result<Restart> {
    let leader = cluster.leader().await?;
    let member = cluster.follower().await?;
    let snapshots = cluster.status(leader).await.unwrap_or_default().snapshots();
    cluster.kill(member);
    let started = Instant::now();
    cluster.run(member)?;
    cluster.serving(member).await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Restart { system: cluster.system.name(), seconds, snapshots })
}

/// The term of our cluster: it grows with every election.
async fn terms(clusters: &mut [Cluster]) -> anyhow::Result<u64> {
    let mut term = 0;
    for cluster in clusters.iter_mut().filter(|cluster| cluster.system.name() == "raftsman") {
        let leader = cluster.leader().await?;
        term += cluster.status(leader).await.map_or(0, |status| status.term);
    }
    Ok(term)
}

async fn measure(cluster: &mut Cluster, work: &Work, options: &StoreOptions) -> anyhow::Result<Measured> {
    let leader = cluster.leader().await?;
    let follower = cluster.follower().await?;
    let member = if work.through == "leader" { leader } else { follower };
    let until = match options.operations {
        Some(operations) => Until::Operations(operations),
        None => Until::Time(Duration::from_secs_f64(options.seconds)),
    };
    let operation = match work.operation {
        "write" => Operation::Put,
        "compare-and-write" => Operation::PutAt,
        "read" => Operation::Get,
        _ => {
            let writes = options.operations.unwrap_or((options.seconds / PACE.as_secs_f64()) as u64).max(1);
            let load = FanOut { watchers: work.clients, writes, pace: PACE, size: options.size.max(64) };
            return fan_out(cluster, member, leader, load).await;
        }
    };
    closed_loop(cluster, member, Load { operation, clients: work.clients, until, size: options.size }).await
}
