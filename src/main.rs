//! The one binary: parses the command line and dispatches.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use raftsman_api::config::{HostConfig, Role};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// Kubernetes in one binary, highly available from the inside.
#[derive(Parser)]
#[command(name = "raftsman", version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Be a host of a cluster: master, node or both, as its configuration says.
    Serve {
        /// The host's configuration; with --join: where it is written [default: DATA_DIR/config.yaml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As a master, keep the cluster's level at N or below, so that programs of that level may come back; as
        /// `levelAtMost` in the configuration
        #[arg(long, value_name = "N", env = "RAFTSMAN_LEVEL_AT_MOST")]
        level_at_most: Option<u32>,
        #[command(flatten)]
        join: raftsman_cli::join::JoinOptions,
    },
    /// Make the first master of a new cluster out of a backup
    Restore(raftsman_cli::backup::RestoreOptions),
    /// Make a cluster out of one surviving master, when a quorum is lost for good
    Recover(raftsman_cli::backup::RecoverOptions),
    #[command(flatten)]
    Local(raftsman_local::Command),
    #[command(flatten)]
    Client(Box<raftsman_cli::Command>),
    /// Measure the replicated store on this machine
    #[command(subcommand)]
    Bench(raftsman_bench::Command),
}

fn main() -> ExitCode {
    // A pod's supervisor is this binary again: single-threaded, so before anything starts a thread.
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if args.get(1).is_some_and(|arg| arg == raftsman_runtime::supervisor::COMMAND) {
        return ExitCode::from(u8::try_from(raftsman_runtime::supervisor::main(&args[2..])).unwrap_or(1));
    }
    let command = match parse(args) {
        Ok(line) => line.command,
        Err(error) => error.exit(),
    };
    let result = match command {
        Command::Serve { config, level_at_most, join } => configuration(config, &join)
            .and_then(|path| host_config(&path))
            .and_then(|config| serve(HostConfig { level_at_most: level_at_most.or(config.level_at_most), ..config }))
            .map(|()| ExitCode::SUCCESS),
        Command::Restore(options) => block_on(restore(options)),
        Command::Recover(options) => block_on(recover(options)),
        Command::Local(command) => block_on(raftsman_local::run(command)),
        Command::Client(command) => block_on(raftsman_cli::run(*command, CommandLine::command())),
        Command::Bench(command) => block_on(raftsman_bench::run(command, raftsman_runtime::urge_this_thread)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Reads the command line, with flags before the verb and with booleans, `--force=false`, as kubectl takes them.
fn parse(args: Vec<String>) -> Result<CommandLine, clap::Error> {
    let words = raftsman_cli::flags::verb_first(args);
    let lenient = raftsman_cli::flags::with_booleans(CommandLine::command());
    let read = lenient.try_get_matches_from(&words).and_then(|found| CommandLine::from_arg_matches(&found));
    read.map_err(|error| {
        // Help and errors show the flags as they are written most of the time.
        let plain = CommandLine::command().try_get_matches_from(&words).err();
        plain.filter(|plain| plain.kind() == error.kind()).unwrap_or(error)
    })
}

/// The file that a host is to serve by; a host that is to join does so first.
fn configuration(config: Option<PathBuf>, join: &raftsman_cli::join::JoinOptions) -> anyhow::Result<PathBuf> {
    match (&join.join, config) {
        (Some(server), config) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(raftsman_cli::join::prepare(join, server, config.as_deref()))
        }
        (None, Some(config)) => Ok(config),
        (None, None) => anyhow::bail!("say --config FILE; or --join HOST:PORT --token TOKEN, to join a cluster"),
    }
}

/// Runs the host's roles until TERM or INT.
fn serve(config: HostConfig) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RAFTSMAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,openraft=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let provider = rustls::crypto::ring::default_provider();
    anyhow::ensure!(provider.install_default().is_ok(), "a TLS provider is installed already");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(roles(config))
}

fn host_config(path: &Path) -> anyhow::Result<HostConfig> {
    use anyhow::Context;
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let config: HostConfig =
        serde_yaml::from_str(&text).with_context(|| format!("{} is no host configuration", path.display()))?;
    let problems = config.problems();
    anyhow::ensure!(problems.is_empty(), "{}: {}", path.display(), problems.join("; "));
    Ok(config)
}

async fn restore(options: raftsman_cli::backup::RestoreOptions) -> anyhow::Result<ExitCode> {
    options.extract_keys()?;
    if let Some(path) = &options.config {
        let config = host_config(path)?;
        let restored = raftsman_master::restore(&config, &mut options.open()?).await?;
        raftsman_cli::outln!(
            "{} holds {} objects and goes on from revision {} in epoch {}; start it, and the other masters with empty data \
             directories",
            config.name,
            restored.objects,
            restored.revision,
            restored.epoch
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn recover(options: raftsman_cli::backup::RecoverOptions) -> anyhow::Result<ExitCode> {
    let recovery = raftsman_master::Recovery::plan(&host_config(&options.config)?).await?;
    raftsman_cli::out!("{}", recovery.describe());
    if options.yes {
        let done = recovery.carry_out().await?;
        raftsman_cli::outln!("\nDone: start {}, then the others with empty data directories.", done.name);
    } else {
        recovery.close().await?;
        raftsman_cli::outln!("\nNothing was changed; --yes does it.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn roles(config: HostConfig) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    tokio::spawn(on_signal(shutdown.clone())?);
    let master = async {
        if config.is(Role::Master) {
            let (send, urgent) = (raftsman_runtime::send_frame, raftsman_runtime::urge_this_thread);
            raftsman_master::run(config.clone(), shutdown.clone(), send, urgent).await?;
        }
        anyhow::Ok(())
    };
    let node = async {
        if config.is(Role::Node) {
            raftsman_node::Agent::run(config.clone(), shutdown.clone()).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(master, node).map(drop)
}

fn on_signal(shutdown: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("stopping");
        shutdown.cancel();
    })
}

fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let provider = rustls::crypto::ring::default_provider();
    anyhow::ensure!(provider.install_default().is_ok(), "a TLS provider is installed already");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_line_is_sound_and_takes_kubectls_booleans() {
        raftsman_cli::flags::with_booleans(CommandLine::command()).debug_assert();
        for line in [
            "raftsman get pods --all-namespaces=true --no-headers=false -w=false",
            "raftsman delete pod a --ignore-not-found=true --wait=false --force=true",
            "raftsman apply -f a.yaml --server-side=true --force-conflicts=true",
            "raftsman exec -it web -- ls",
            "raftsman -n x --context=c get pods",
            "raftsman -n x create configmap m --from-literal=a=b",
            "raftsman get --raw /api",
            "raftsman up --masters 3 --no-sample",
            "raftsman status --name x",
        ] {
            let taken = parse(line.split_whitespace().map(str::to_owned).collect());
            assert!(taken.is_ok(), "{line}: {:?}", taken.err().map(|error| error.to_string()));
        }
    }
}
