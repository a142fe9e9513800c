//! `raftsman host restart`.

use crate::command::host::RestartOptions;
use crate::command::progress::Progress;
use crate::command::{heal, members, wait};
use crate::host::HostProcess;
use crate::net::Namespaces;
use crate::plan::{LocalCluster, LocalHost};
use anyhow::Context;
use raftsman_api::config::Role;
use raftsman_cli::masters::{Place, Restart, restart_all};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Nodes are Ready again by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does it.
pub async fn run(options: &RestartOptions) -> anyhow::Result<ExitCode> {
    let cluster = members::existing(&options.which)?.present();
    let here = Here { cluster: &cluster, namespaces: Namespaces::default() };
    if let Some(name) = &options.host {
        let host = members::host(&cluster, name)?;
        here.again(host).await?;
        raftsman_cli::outln!("host {name} started again");
        return Ok(ExitCode::SUCCESS);
    }
    let api = wait::client(&cluster).await?;
    // The kubeconfig has them in this order.
    let place = |(at, host): (usize, &LocalHost)| Place { at, member: host.id, name: host.name.clone() };
    let masters: Vec<Place> = cluster.of(Role::Master).enumerate().map(place).collect();
    let begun = Instant::now();
    restart_all(&api, &masters, &here, |line| raftsman_cli::outln!("{line}")).await?;
    for host in cluster.of(Role::Node) {
        here.again(host).await?;
        raftsman_cli::outln!("node {} started again", host.name);
    }
    wait::nodes(&cluster, &api, &here.namespaces, PATIENCE, &Progress::new()).await?;
    raftsman_cli::outln!("all hosts run again and are ready ({:.1} s)", begun.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// The hosts of this machine.
struct Here<'a> {
    cluster: &'a LocalCluster,
    namespaces: Namespaces,
}

impl Here<'_> {
    async fn again(&self, host: &LocalHost) -> anyhow::Result<()> {
        let process = HostProcess::of(self.cluster, host, &self.namespaces)?;
        tokio::task::spawn_blocking(move || process.stop()).await.context("wait for the process")??;
        heal::process(self.cluster, host, &self.namespaces).map(drop)
    }
}

#[async_trait::async_trait]
impl Restart for Here<'_> {
    async fn restart(&self, master: &Place) -> anyhow::Result<()> {
        self.again(members::host(self.cluster, &master.name)?).await
    }
}
