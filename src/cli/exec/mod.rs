//! `raftsman exec`: a command in a container, with or without a terminal.

mod terminal;

use crate::connect::Cluster;
use crate::flags::timeout;
use crate::kubeconfig::Target;
use crate::manifest::Sources;
use crate::output::Finish;
use crate::pods::{behind, default_container, pods_of};
use crate::resources::{Catalog, named_in};
use anyhow::{Context, bail};
use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terminal::{RawMode, size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

const PAUSE: Duration = Duration::from_millis(250);

/// `raftsman exec`.
#[derive(Debug, Args)]
pub struct ExecOptions {
    #[command(flatten)]
    target: Target,
    /// POD or TYPE/NAME
    #[arg(value_name = "POD", required_unless_present = "files")]
    pod: Option<String>,
    /// A manifest that names the pod, or what has pods
    #[arg(short = 'f', long = "filename", id = "files", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The container
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give it a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// Say nothing beside what the command says
    #[arg(short, long)]
    quiet: bool,
    /// How long a pod may take until it runs
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = timeout)]
    pod_running_timeout: Duration,
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs it; exits as the command does.
pub async fn run(options: &ExecOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.target).await?;
    let pod = running(&cluster, options).await?;
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
    let name = text("name");
    let pods: Api<Pod> = Api::namespaced(cluster.client().clone(), text("namespace"));
    // A terminal only where we have one ourselves (as kubectl).
    let tty = options.tty && options.stdin && terminal::is_terminal();
    if options.tty && !tty {
        eprintln!("Unable to use a TTY - input is not a terminal");
    }
    let parameters = AttachParams {
        container: options.container.clone().or_else(|| default_container(&pod, options.quiet)),
        stdin: options.stdin,
        stdout: true,
        // A terminal has one output.
        stderr: !tty,
        tty,
        ..AttachParams::default()
    };
    let process = pods.exec(name, &options.command, &parameters).await.map_err(|error| readable(&error, name))?;
    let raw = if tty { Some(RawMode::enter()?) } else { None };
    let result = converse(process, tty, options.quiet).await;
    drop(raw);
    result
}

/// The pod that is meant; a workload's may still be starting.
async fn running(cluster: &Cluster, options: &ExecOptions) -> anyhow::Result<Value> {
    let start = Instant::now();
    loop {
        let (mut found, workload) = match &options.pod {
            Some(what) => (pods_of(cluster, what).await?, what.contains('/')),
            None => (in_manifest(cluster, options).await?, true),
        };
        let pod = if found.is_empty() { bail!("it has no pods") } else { found.swap_remove(0) };
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Succeeded" | "Failed") {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            bail!("cannot exec into a container in a completed pod; {name} is {phase}");
        }
        if !workload || phase != "Pending" || start.elapsed() >= options.pod_running_timeout {
            return Ok(pod);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The pods of what manifests name.
async fn in_manifest(cluster: &Cluster, options: &ExecOptions) -> anyhow::Result<Vec<Value>> {
    let sources = Sources { files: options.files.clone(), ..Sources::default() };
    let catalog = Catalog::fetch(cluster).await?;
    let mut finish = Finish::default();
    let all = named_in(&sources, None, &catalog, cluster, &options.target, &mut finish)?;
    match &all[..] {
        [one] if one.names.len() == 1 => behind(cluster, one).await,
        _ => bail!("-f must name one object whose pod is meant"),
    }
}

/// The server's own words, not the client's around them.
fn readable(error: &kube::Error, pod: &str) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => {
            anyhow::anyhow!("Error from server ({}): {}", status.reason, status.message)
        }
        other => anyhow::anyhow!("exec in pod {pod}: {}", crate::connect::exit_text(other)),
    }
}

async fn converse(mut process: AttachedProcess, tty: bool, quiet: bool) -> anyhow::Result<ExitCode> {
    let status = process.take_status();
    if let Some(mut input) = process.stdin() {
        let mut pieces = read_stdin();
        tokio::spawn(async move {
            while let Some(piece) = pieces.recv().await {
                if input.write_all(&piece).await.is_err() || input.flush().await.is_err() {
                    break;
                }
            }
            // The end of our input is the end of its input.
            let _ = input.shutdown().await;
        });
    }
    if tty && let Some(mut sizes) = process.terminal_size() {
        let mut changes = signal(SignalKind::window_change()).context("watch the terminal's size")?;
        tokio::spawn(async move {
            use futures::SinkExt;
            loop {
                if let Some((height, width)) = size()
                    && sizes.send(TerminalSize { height, width }).await.is_err()
                {
                    break;
                }
                if changes.recv().await.is_none() {
                    break;
                }
            }
        });
    }
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let out = async {
        if let Some(mut stream) = stdout {
            let mut own = tokio::io::stdout();
            copy(&mut stream, &mut own).await;
        }
    };
    let err = async {
        if let Some(mut stream) = stderr {
            let mut own = tokio::io::stderr();
            copy(&mut stream, &mut own).await;
        }
    };
    tokio::join!(out, err);
    let ended = match status {
        Some(status) => status.await,
        None => None,
    };
    process.abort();
    let Some(status) = ended else { bail!("the connection ended before the command did; its outcome is not known") };
    if status.status.as_deref() == Some("Success") {
        return Ok(ExitCode::SUCCESS);
    }
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    match code.and_then(|cause| cause.message.as_deref()?.parse::<u8>().ok()) {
        Some(code) => {
            if !quiet {
                eprintln!("command terminated with exit code {code}");
            }
            Ok(ExitCode::from(code))
        }
        None => bail!("{}", status.message.unwrap_or_else(|| "the command failed".to_owned())),
    }
}

/// Our own input, piece by piece. By a thread of its own: a read cannot be interrupted, and nobody shall wait for it at the end.
fn read_stdin() -> tokio::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count) = std::io::stdin().read(&mut buffer) {
            if count == 0 || sender.blocking_send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Until the end, each piece at once.
async fn copy(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin)) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let written = match to.write_all(&buffer[..count]).await {
            Ok(()) => to.flush().await,
            Err(error) => Err(error),
        };
        // Nobody reads it: without an end here the command would wait for us for ever.
        if let Err(error) = written {
            crate::output::cannot_print(&error);
        }
    }
}

#[cfg(test)]
mod exec_tests;
