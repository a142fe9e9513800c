//! A person with our own CLI, which knows all masters and goes from one to another.

use super::{Context, NAMESPACE, Workload};
use crate::record::Stream;
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// A person thinks between two commands.
const EVERY: Duration = Duration::from_millis(1500);

/// See the module.
pub(super) struct Cli;

/// What they type in one round, and what it reads.
fn commands(round: u64) -> [(String, String); 4] {
    let name = format!("memo-{round}");
    let manifest =
        format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{round: '{round}'}}}}");
    let typed = |line: &str| (format!("{line} -n {NAMESPACE}"), String::new());
    [
        (format!("create -f - -n {NAMESPACE}"), manifest),
        typed(&format!("get configmap {name} -o yaml")),
        typed("get pods -o wide"),
        typed(&format!("delete configmap {name}")),
    ]
}

#[async_trait]
impl Workload for Cli {
    fn name(&self) -> &'static str {
        "our CLI"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let mut round = 0;
        while !c.over() {
            round += 1;
            for (command, input) in commands(round) {
                let at = c.now();
                let failed = c.cli_with(&command, &input).await.err().map(|error| format!("{error:#}"));
                let stop = failed.is_some();
                c.asked(Stream::Cli, "", at, failed);
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
