//! A person with kubectl and the virtual address.

use super::{Context, Workload};
use crate::record::Stream;
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// A person thinks between two commands.
const EVERY: Duration = Duration::from_millis(1200);

/// See the module.
pub(super) struct User;

/// What they type in one round.
fn commands(round: u64) -> Vec<String> {
    let name = format!("note-{round}");
    vec![
        format!("create configmap {name} --from-literal=round={round}"),
        "get nodes".to_owned(),
        format!("label configmap {name} read=yes"),
        "get pods -o wide".to_owned(),
        format!("get configmap {name} -o yaml"),
        "get deployment,statefulset,job".to_owned(),
        format!("delete configmap {name}"),
    ]
}

#[async_trait]
impl Workload for User {
    fn name(&self) -> &'static str {
        "kubectl"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let mut round = 0;
        while !c.over() {
            round += 1;
            for command in commands(round) {
                let at = c.now();
                let failed = c.kubectl(&command).await.err().map(|error| format!("{error:#}"));
                let stop = failed.is_some();
                c.asked(Stream::Kubectl, "", at, failed);
                c.pause(EVERY).await;
                // What comes next needs what came before.
                if stop || c.over() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
