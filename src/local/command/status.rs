//! `raftsman status`.

use crate::command::{Which, members, preflight, wait};
use crate::host::HostProcess;
use crate::net::{Links, Namespaces};
use crate::plan::{LocalCluster, LocalHost};
use clap::Args;
use raftsman_api::config::Role;
use raftsman_cli::connect::Cluster;
use raftsman_cli::kubeconfig::Target;
use raftsman_cli::masters;
use raftsman_cli::status::{Masters, Nodes};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Which cluster: the local one, unless a kubeconfig or context is named or there is none.
#[derive(Debug, Args)]
pub struct StatusOptions {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    target: Target,
}

impl StatusOptions {
    /// A cluster that is not on this machine, or is to be looked at as if it were not.
    fn is_elsewhere(&self) -> anyhow::Result<bool> {
        let named = self.target.kubeconfig.is_some() || self.target.context.is_some();
        let usual = self.which.name == "local" && self.which.dir.is_none();
        Ok(named || (usual && members::load(&self.which)?.is_none()))
    }
}

/// Prints it; success if everything is well.
pub async fn run(options: &StatusOptions) -> anyhow::Result<ExitCode> {
    if options.is_elsewhere()? {
        return raftsman_cli::status::run(&options.target).await;
    }
    preflight::root()?;
    let cluster = members::existing(&options.which)?.present();
    let api = wait::client(&cluster).await?;
    let well = print(&cluster, &api, &Namespaces::default(), &Links::here()?).await?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints masters, nodes and pods. True if all hosts are ready.
pub async fn print(
    cluster: &LocalCluster,
    api: &Cluster,
    namespaces: &Namespaces,
    links: &Links,
) -> anyhow::Result<bool> {
    let hosts: Vec<&LocalHost> = cluster.of(Role::Master).collect();
    let seen = masters::ask(api, 0..hosts.len()).await;
    let carrier = masters::carrier(api, &seen).await;
    // Where no master answers, what is known of their processes is shown all the same.
    let mut table = Masters::ask(api).await.unwrap_or_default();
    for (host, seen) in hosts.iter().zip(&seen) {
        let (process, runs) = process_state(cluster, host, namespaces, links).await?;
        let line = table.line(&host.name);
        line.row.address = host.address.to_string();
        line.process = Some(process);
        line.saw(seen);
        if !runs {
            line.ready = Some("down".to_owned());
        }
    }
    let mut well = carrier.is_ok() && table.are_well();
    raftsman_cli::out!("{}", table.text());
    let carried = match &carrier {
        Ok(at) => format!("carried by {}", at.and_then(|at| hosts.get(at)).map_or("another host", |host| &host.name)),
        Err(reason) => reason.to_string(),
    };
    raftsman_cli::outln!("\nControl plane: {}, {carried}", api.masters().name(hosts.len()));

    let (nodes, pods) = match futures::try_join!(api.read("/api/v1/nodes"), api.read("/api/v1/pods")) {
        Ok(lists) => lists,
        Err(error) => {
            raftsman_cli::outln!("\nNodes and pods are not known: {error}");
            return Ok(false);
        }
    };
    let mut table = Nodes::now(&nodes);
    // Others are not on this machine.
    table.lines.retain(|line| cluster.of(Role::Node).any(|host| host.name == line.name));
    for host in cluster.of(Role::Node) {
        let (process, _) = process_state(cluster, host, namespaces, links).await?;
        let line = table.line(&host.name);
        line.address = host.address.to_string();
        line.process = Some(process);
        line.pods = Some(wait::items(&pods).filter(|pod| pod["spec"]["nodeName"] == host.name.as_str()).count());
    }
    well &= table.are_well();
    if !table.lines.is_empty() {
        raftsman_cli::out!("\n{}", table.text());
    }
    raftsman_cli::outln!("\n{}", pod_summary(&pods));
    Ok(well)
}

/// Its process in words, and whether there is one.
async fn process_state(
    cluster: &LocalCluster,
    host: &LocalHost,
    namespaces: &Namespaces,
    links: &Links,
) -> anyhow::Result<(String, bool)> {
    let pid = HostProcess::of(cluster, host, namespaces)?.pid();
    let process = pid.map_or("down".to_owned(), |pid| format!("pid {pid}"));
    let cut = links.is_cut(&cluster.link(host)).await?;
    Ok((if cut { format!("{process}, cut off") } else { process }, pid.is_some()))
}

/// `Pods: 5 (4 Running, 1 Pending), 4 ready`.
fn pod_summary(pods: &Value) -> String {
    let mut phases: BTreeMap<String, usize> = BTreeMap::new();
    for pod in wait::items(pods) {
        let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
        *phases.entry(phase.to_owned()).or_default() += 1;
    }
    let total: usize = phases.values().sum();
    if total == 0 {
        return "Pods: none".to_owned();
    }
    let parts: Vec<String> = phases.iter().map(|(phase, count)| format!("{count} {phase}")).collect();
    let ready = wait::items(pods).filter(|pod| wait::is_ready(pod)).count();
    format!("Pods: {total} ({}), {ready} ready", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_are_summed_up() {
        let pod = |phase: &str, ready: &str| json!({"status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}});
        let list = json!({"items": [pod("Running", "True"), pod("Running", "False"), pod("Pending", "False")]});
        assert_eq!(pod_summary(&list), "Pods: 3 (1 Pending, 2 Running), 1 ready");
        assert_eq!(pod_summary(&json!({"items": []})), "Pods: none");
    }
}
