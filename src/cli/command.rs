//! The command line.

use crate::{apply, backup, check, create, delete, describe, exec, get, logs, masters, members, pki, scale, version};
use clap::{Args, Subcommand};
use clap_complete::Shell;
use std::process::ExitCode;

/// What can be done with a cluster, with kubectl's words and flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show objects
    Get(get::GetOptions),
    /// Make objects as manifests say
    Apply(apply::ApplyOptions),
    /// Create objects that must not exist yet
    Create(create::CreateOptions),
    /// Show an object in detail, with its events
    Describe(describe::DescribeOptions),
    /// Delete objects
    Delete(delete::DeleteOptions),
    /// Print the log of a container
    Logs(logs::LogsOptions),
    /// Run a command in a container
    Exec(exec::ExecOptions),
    /// Set the number of replicas
    Scale(scale::ScaleOptions),
    /// Check the network of pods: pods on every node try what workloads need
    Check(check::CheckOptions),
    /// Show the versions of this program and of the server
    Version(version::VersionOptions),
    /// Start all masters again, one after the other, with the program that is installed by now
    Upgrade(masters::Upgrade),
    /// The masters: list, join, promote, remove, replace, hand over
    #[command(subcommand)]
    Members(members::MembersCommand),
    /// Save the whole cluster to a file, or check such a file
    Backup(backup::BackupOptions),
    /// Keys, certificates and configuration files for real machines
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Print a script that completes commands in a shell
    Completion(CompletionOptions),
}

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionOptions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs a command; `root` is the whole program's command line, which completion is to know. Needs a tokio runtime with I/O and
/// time.
///
/// # Errors
/// What was wrong, with which object, and what to do. Exit code 1, as kubectl's; `exec` gives the command's own.
pub async fn run(command: Command, mut root: clap::Command) -> anyhow::Result<ExitCode> {
    let result = match command {
        Command::Get(options) => get::run(&options).await,
        Command::Apply(options) => apply::run(&options).await,
        Command::Create(options) => create::run(&options).await,
        Command::Describe(options) => describe::run(&options).await,
        Command::Delete(options) => delete::run(&options).await,
        Command::Logs(options) => logs::run(&options).await,
        Command::Exec(options) => exec::run(&options).await,
        Command::Scale(options) => scale::run(&options).await,
        Command::Check(options) => check::run(&options).await,
        Command::Version(options) => version::run(&options).await,
        Command::Upgrade(upgrade) => upgrade.run().await,
        Command::Members(command) => members::run(command).await,
        Command::Backup(options) => backup::run(&options).await,
        Command::Pki(command) => pki::run(command),
        Command::Completion(options) => {
            let name = root.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(options.shell, &mut root, name, &mut script);
            crate::out!("{}", String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
    };
    match result {
        // What a server said is printed as it said it.
        Err(error) if error.downcast_ref::<crate::connect::Failure>().is_some() => {
            crate::output::print_error(&error);
            Ok(ExitCode::FAILURE)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn lines_that_people_type() {
        <Line as clap::CommandFactory>::command().debug_assert();
        for line in [
            "get pods -A -o wide",
            "get rc,svc -n default --show-labels",
            "get pod/web -w",
            "get pods -l app=web --field-selector=spec.nodeName=n1",
            "apply -f a.yaml -f b/ -R",
            "apply -f - --server-side --force-conflicts --dry-run=server",
            "create -f a.yaml -o yaml",
            "describe node n1",
            "delete pod web --grace-period=0 --force",
            "delete -f a.yaml --wait=false --cascade=orphan",
            "logs -f web -c main --tail=10 --since 5m --timestamps",
            "logs web --tail -1 --previous",
            "exec -it web -- sh -c 'true'",
            "exec web -c main -- ls -l",
            "scale rc/myweb --replicas=3",
            "scale deployment web --replicas 3 --current-replicas 2",
            "get pods --chunk-size=0 --show-managed-fields -o custom-columns=NAME:.metadata.name",
            "get --raw /api/v1/nodes",
            "get deploy web --subresource=scale --request-timeout=5s -v 6",
            "get pods -w --output-watch-events --as jane --as-group dev --token t",
            "apply -f a.yaml -l a=b --validate=false --wait --field-manager me --cluster c --user u --server https://x",
            "create -n x deployment web --image=a --replicas 2 --port 80 --dry-run=client -o yaml -- sleep 9",
            "create secret generic s --from-literal=a=b",
            "create service nodeport web --tcp=80:8080 --node-port 30001 -n x",
            "describe -f a.yaml",
            "describe pods -l a=b",
            "delete pods --all --dry-run=server --timeout=1m --field-selector a=b",
            "logs -l app=web --ignore-errors --max-log-requests=9 --prefix --all-containers --since-time=2026-01-01T00:00:00Z",
            "exec deploy/web -q -- date",
            "exec -f pod.yaml -- date",
            "scale --replicas=2 -f a.yaml --timeout 1m --dry-run=server -o yaml --resource-version 7",
            "version --client",
            "check --nodes n1,n2 --egress 10.0.0.1:80",
            "check --egress none",
            "members list -o json",
            "members add m4 10.0.0.4 --learner",
            "members promote m4 --force",
            "members remove m4",
            "members replace m3",
            "members replace m3 m4",
            "members update m3 --address 10.0.0.9",
            "members transfer",
            "members transfer m2",
            "members token create --replaces m3 --ttl 2h",
            "members token create --node",
            "members token revoke abc123",
            "backup b.backup --with-keys --passphrase-file p",
            "backup --check b.backup",
            "backup --list b.backup",
            "pki init -f cluster.yaml --out x",
            "pki issue -f cluster.yaml n4",
            "completion bash",
        ] {
            let words = std::iter::once("raftsman").chain(line.split(' '));
            assert!(Line::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "members update m3",
            "members token create --ttl 1x",
            "check --egress nowhere",
            "scale rc/myweb",
            "scale rc/myweb --replicas=1 --timeout=soon",
            "exec web",
            "get pods --bogus",
            "delete pod a --cascade=none",
            "backup --check --with-keys b",
        ] {
            let words = std::iter::once("raftsman").chain(line.split(' '));
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }
}
