//! `raftsman check`: does the network of pods work, and is the control plane reached by its virtual address? Pods on every
//! node try what workloads need, and each thing that fails comes with what to do about it.

mod bed;
mod capture;
mod plan;
mod report;
mod vip;

use crate::connect::Cluster;
use crate::flags::timeout;
use crate::kubeconfig::Target;
use anyhow::ensure;
use bed::Bed;
use clap::Args;
use futures::{StreamExt, stream};
use plan::{Beyond, Egress, Outcome, Probe, plan};
use std::process::ExitCode;
use std::time::Duration;

/// How many probes run at once.
const AT_ONCE: usize = 8;

/// `raftsman check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    #[command(flatten)]
    target: Target,
    /// Only between these nodes [default: all that are ready]
    #[arg(long, value_delimiter = ',', value_name = "NODE")]
    nodes: Vec<String>,
    /// An image with busybox' sh, httpd, wget and nc
    #[arg(long, default_value = "busybox:latest", value_name = "IMAGE")]
    image: String,
    /// What pods are to reach outside the cluster by TCP; "none" leaves it out
    #[arg(long, default_value = "1.1.1.1:443", value_name = "HOST:PORT")]
    egress: Egress,
    /// How long the pods may take to start: 30s, 1m
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = timeout)]
    timeout: Duration,
}

/// Checks and prints; success if everything works. Whatever happens, what it made is removed.
///
/// # Errors
/// No master answers, no node is ready, or the pods do not start.
pub async fn run(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.target).await?;
    let nodes = bed::nodes(&cluster, &options.nodes).await?;
    ensure!(nodes.iter().any(|node| node.problem.is_none()), "no node is ready: `raftsman get nodes` says why");
    let bed = Bed::begin(&cluster).await?;
    let checked = tokio::select! {
        checked = check(&cluster, &bed, options, &nodes) => checked,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let removed = bed.end().await;
    let well = checked?;
    removed?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(cluster: &Cluster, bed: &Bed, options: &CheckOptions, nodes: &[plan::Node]) -> anyhow::Result<bool> {
    let ready: Vec<&str> = nodes.iter().filter(|node| node.problem.is_none()).map(|node| node.name.as_str()).collect();
    crate::outln!("Starting two pods on each of {} in namespace {} …", ready.join(", "), bed.namespace());
    let vip = vip::find(cluster).await;
    let ground = bed.build(&ready, &options.image, options.timeout).await?;
    let beyond = Beyond { vip: vip.as_ref().ok().copied().flatten(), egress: options.egress.clone() };
    let probes = plan(&ground, &beyond);
    let mut outcomes: Vec<(Probe, Outcome)> = stream::iter(probes)
        .map(|probe| async {
            let outcome = bed.try_out(&probe).await;
            (probe, outcome)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    outcomes.extend(vip::from_here(cluster, vip).await);
    let (text, well) = report::report(nodes, &outcomes);
    crate::out!("{text}");
    Ok(well)
}
