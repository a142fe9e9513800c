//! Waiting until hosts are ready, with an eye on their processes.

use crate::command::progress::Progress;
use crate::host::{HostProcess, last_lines};
use crate::net::Namespaces;
use crate::plan::{LocalCluster, LocalHost};
use anyhow::bail;
use raftsman_api::config::Role;
use raftsman_cli::connect::Cluster;
use raftsman_cli::kubeconfig::Target;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);

/// The cluster's API, by its own kubeconfig.
pub async fn client(cluster: &LocalCluster) -> anyhow::Result<Cluster> {
    Cluster::open(&Target { kubeconfig: Some(cluster.kubeconfig()), ..Target::default() }).await
}

/// Until every master says that it is ready.
pub async fn masters(
    cluster: &LocalCluster,
    api: &Cluster,
    namespaces: &Namespaces,
    patience: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let all: Vec<&LocalHost> = cluster.of(Role::Master).collect();
    loop {
        let mut waiting = Vec::new();
        let answers = futures::future::join_all((0..all.len()).map(|at| api.masters().ask(at, "/readyz"))).await;
        for (host, answer) in all.iter().zip(answers) {
            match answer {
                Ok((200, _)) => {}
                Ok((code, body)) => {
                    waiting.push(format!("{} ({code} {})", host.name, first_line(&String::from_utf8_lossy(&body))));
                }
                Err(reason) => waiting.push(format!("{} ({reason})", host.name)),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        progress.update(&waiting.join(", "));
        pause(cluster, &all, namespaces, start, patience, "masters", &waiting).await?;
    }
}

/// Until every node's object says that it is ready.
pub async fn nodes(
    cluster: &LocalCluster,
    api: &Cluster,
    namespaces: &Namespaces,
    patience: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let all: Vec<&LocalHost> = cluster.of(Role::Node).collect();
    loop {
        let mut waiting: Vec<String> = Vec::new();
        match api.read("/api/v1/nodes").await {
            Ok(list) => {
                let ready: BTreeSet<&str> = items(&list).filter(|node| is_ready(node)).filter_map(name).collect();
                waiting.extend(all.iter().filter(|host| !ready.contains(host.name.as_str())).map(|h| h.name.clone()));
            }
            Err(error) => waiting.push(format!("list of nodes: {error}")),
        }
        if waiting.is_empty() {
            return Ok(());
        }
        progress.update(&waiting.join(", "));
        pause(cluster, &all, namespaces, start, patience, "nodes", &waiting).await?;
    }
}

async fn pause(
    cluster: &LocalCluster,
    hosts: &[&LocalHost],
    namespaces: &Namespaces,
    start: Instant,
    patience: Duration,
    what: &str,
    waiting: &[String],
) -> anyhow::Result<()> {
    for host in hosts {
        let process = HostProcess::of(cluster, host, namespaces)?;
        if process.pid().is_none() {
            bail!("host {} has ended: {}", host.name, last_lines(&process.log(), 3));
        }
    }
    if start.elapsed() > patience {
        bail!(
            "{what} not ready after {} s: {}; their logs are {}/HOST/log",
            patience.as_secs(),
            waiting.join(", "),
            cluster.dir.display()
        );
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// A list's items.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// An object's name.
pub fn name(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}

/// Its condition `Ready` is true.
pub fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.starts_with("[+]")).unwrap_or_default().to_owned()
}
