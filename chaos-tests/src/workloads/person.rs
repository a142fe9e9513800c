//! Persons with a command line: one command after the other, each built on what came before.

use super::{Context, NAMESPACE, Workload};
use crate::record::Stream;
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// With which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    /// kubectl, which knows the virtual address.
    Kubectl,
    /// Our own, which knows all masters and goes from one to another.
    Own,
}

/// A command line, and what it reads.
type Command = (String, String);

/// See the module.
pub(super) struct Person {
    name: &'static str,
    /// A person thinks between two commands.
    every: Duration,
    stream: Stream,
    tool: Tool,
    /// What they type in one round.
    commands: fn(u64) -> Vec<Command>,
}

/// One with kubectl.
pub(super) const KUBECTL: Person = Person {
    name: "kubectl",
    every: Duration::from_millis(1200),
    stream: Stream::Kubectl,
    tool: Tool::Kubectl,
    commands: notes,
};

/// One with our own command line.
pub(super) const CLI: Person = Person {
    name: "our CLI",
    every: Duration::from_millis(1500),
    stream: Stream::Cli,
    tool: Tool::Own,
    commands: memos,
};

fn notes(round: u64) -> Vec<Command> {
    let name = format!("note-{round}");
    let typed = |line: &str| (line.to_owned(), String::new());
    vec![
        typed(&format!("create configmap {name} --from-literal=round={round}")),
        typed("get nodes"),
        typed(&format!("label configmap {name} read=yes")),
        typed("get pods -o wide"),
        typed(&format!("get configmap {name} -o yaml")),
        typed("get deployment,statefulset,job"),
        typed(&format!("delete configmap {name}")),
    ]
}

fn memos(round: u64) -> Vec<Command> {
    let name = format!("memo-{round}");
    let manifest =
        format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{round: '{round}'}}}}");
    let typed = |line: &str| (format!("{line} -n {NAMESPACE}"), String::new());
    vec![
        (format!("create -f - -n {NAMESPACE}"), manifest),
        typed(&format!("get configmap {name} -o yaml")),
        typed("get pods -o wide"),
        typed(&format!("delete configmap {name}")),
    ]
}

impl Person {
    async fn run_one(&self, c: &Context, (line, input): &Command) -> Result<String> {
        match self.tool {
            Tool::Kubectl => c.kubectl(line).await,
            Tool::Own => c.cli_with(line, input).await,
        }
    }
}

#[async_trait]
impl Workload for Person {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let mut round = 0;
        while !c.over() {
            round += 1;
            for command in (self.commands)(round) {
                let at = c.now();
                let failed = self.run_one(c, &command).await.err().map(|error| format!("{error:#}"));
                let stop = failed.is_some();
                c.asked(self.stream, "", at, failed);
                c.pause(self.every).await;
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
