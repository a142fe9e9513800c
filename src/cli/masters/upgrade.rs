//! `raftsman upgrade`: every master's process is ended and started again by its machine's service manager.

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::masters::{Restart, Seen, ask, restart_all};
use anyhow::{Context, bail};
use clap::Args;
use http::{Method, Request};
use kube::client::Body;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);
/// A service manager has started the next process by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts all masters again, one after the other, with the program that is installed on each by now; the leader last, and
/// each only when all are well. The machines' service manager does it; of a local cluster, `raftsman host restart --all`.
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
        let servers = api.masters().servers().count();
        let count = masters(&ask(&api, servers).await);
        let names: Vec<String> = (0..count).map(|at| api.masters().name(at)).collect();
        restart_all(&api, &names, &ByApi(&api), |line| crate::outln!("{line}")).await?;
        crate::outln!("all {count} masters run again and are ready");
        Ok(ExitCode::SUCCESS)
    }
}

/// How many servers, from the first, are masters: a virtual address is the last, and answers as one that was there.
fn masters(seen: &[Seen]) -> usize {
    let mut ids = BTreeSet::new();
    seen.iter().take_while(|seen| seen.member().is_none_or(|id| ids.insert(id))).count()
}

struct ByApi<'a>(&'a Cluster);

#[async_trait::async_trait]
impl Restart for ByApi<'_> {
    async fn restart(&self, at: usize) -> anyhow::Result<()> {
        let name = self.0.masters().name(at);
        let started = || async {
            let (_, body) = self.0.masters().ask(at, "/raftsman/v1/status").await.ok()?;
            serde_json::from_slice::<serde_json::Value>(&body).ok()?["started"].as_u64()
        };
        let before = started().await.with_context(|| format!("{name} does not say when it was started"))?;
        let request = Request::builder().method(Method::POST).uri("/raftsman/v1/restart").body(Body::empty())?;
        match self.0.masters().tell(at, request).await {
            Ok((202, _)) => {}
            Ok((code, body)) => {
                let status: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                bail!("{name}: {}", status["message"].as_str().unwrap_or(&format!("answered {code}")));
            }
            Err(reason) => bail!("{name} cannot be told to start again: {reason}"),
        }
        let begin = Instant::now();
        while started().await.is_none_or(|now| now == before) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masters::seen::tests::{seen, silent};

    #[test]
    fn a_virtual_address_is_no_master() {
        let three = || vec![seen(1, 3, Some(2)), seen(2, 3, Some(2)), silent()];
        assert_eq!(masters(&three()), 3);
        let mut with_virtual = three();
        with_virtual.push(seen(2, 3, Some(2)));
        assert_eq!(masters(&with_virtual), 3);
    }
}
