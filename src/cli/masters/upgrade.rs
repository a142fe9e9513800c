//! `raftsman upgrade`: every master's process is ended and started again by its machine's service manager.

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::masters::{Place, Restart, Roster, ask, restart_all};
use crate::members::{PATH, rows};
use anyhow::{Context, bail};
use clap::Args;
use http::{Method, Request};
use kube::client::Body;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);
/// A service manager has started the next process by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts all masters again, one after the other, with the program that is installed on each by now; the leader last, and
/// each only when all are well; none, if one that votes is not reached. The machines' service manager does it; of a local
/// cluster, `raftsman host restart --all`.
#[derive(Debug, Args)]
pub struct Upgrade {
    #[command(flatten)]
    target: Target,
}

impl Upgrade {
    /// Does it.
    ///
    /// # Errors
    /// A master does not become ready again, or nobody would start it.
    pub async fn run(&self) -> anyhow::Result<ExitCode> {
        let api = Cluster::open(&self.target).await?;
        let members = rows(&api.read(PATH).await?);
        // A kubeconfig is older than the cluster's newest masters.
        let own = api.meet().await?;
        let Roster { masters, without } = Roster::of(&members, &ask(&api, 0..api.masters().known()).await, &own)?;
        restart_all(&api, &masters, &ByApi(&api), |line| crate::outln!("{line}")).await?;
        for learner in without {
            crate::outln!("{learner} only learns and is not ready: it was not started again");
        }
        crate::outln!("all {} masters run again and are ready", masters.len());
        Ok(ExitCode::SUCCESS)
    }
}

struct ByApi<'a>(&'a Cluster);

impl ByApi<'_> {
    /// When the master's process began, if it is the one that answers.
    async fn started(&self, master: &Place) -> Option<u64> {
        let (_, body) = self.0.masters().ask(master.at, "/raftsman/v1/status").await.ok()?;
        let status: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let same = master.member.is_none_or(|member| status["member"] == member);
        status["started"].as_u64().filter(|_| same)
    }
}

#[async_trait::async_trait]
impl Restart for ByApi<'_> {
    async fn restart(&self, master: &Place) -> anyhow::Result<()> {
        let name = &master.name;
        let before = self.started(master).await.with_context(|| format!("{name} does not say when it was started"))?;
        let request = Request::builder().method(Method::POST).uri("/raftsman/v1/restart").body(Body::empty())?;
        match self.0.masters().tell(master.at, request).await {
            Ok((202, _)) => {}
            Ok((code, body)) => {
                let status: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                bail!("{name}: {}", status["message"].as_str().unwrap_or(&format!("answered {code}")));
            }
            Err(reason) => bail!("{name} cannot be told to start again: {reason}"),
        }
        let begin = Instant::now();
        while self.started(master).await.is_none_or(|now| now == before) {
            if begin.elapsed() > PATIENCE {
                bail!(
                    "{name} has ended, and was not started again within {} s: look at its service there",
                    PATIENCE.as_secs()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
