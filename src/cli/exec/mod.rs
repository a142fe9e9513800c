//! `raftsman exec`: a command in a container, with or without a terminal.

mod terminal;

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use anyhow::{Context, bail};
use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use std::io::Read;
use std::process::ExitCode;
use terminal::{RawMode, size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// `raftsman exec`.
#[derive(Debug, Args)]
pub struct ExecOptions {
    #[command(flatten)]
    target: Target,
    /// POD or pod/NAME
    pod: String,
    /// The container
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give it a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs it; exits as the command does.
pub async fn run(options: &ExecOptions) -> anyhow::Result<ExitCode> {
    let name = match options.pod.split_once('/') {
        None => options.pod.as_str(),
        Some(("pod" | "pods" | "po", name)) => name,
        Some((kind, _)) => bail!("exec takes a pod, not {kind}: `raftsman get pods` lists them"),
    };
    let cluster = Cluster::open(&options.target).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client().clone(), cluster.namespace());
    // A terminal only where we have one ourselves (as kubectl).
    let tty = options.tty && options.stdin && terminal::is_terminal();
    if options.tty && !tty {
        eprintln!("Unable to use a TTY - input is not a terminal");
    }
    let parameters = AttachParams {
        container: options.container.clone(),
        stdin: options.stdin,
        stdout: true,
        // A terminal has one output.
        stderr: !tty,
        tty,
        ..AttachParams::default()
    };
    let process = pods.exec(name, &options.command, &parameters).await.map_err(|error| readable(&error, name))?;
    let raw = if tty { Some(RawMode::enter()?) } else { None };
    let result = converse(process, tty).await;
    drop(raw);
    result
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

async fn converse(mut process: AttachedProcess, tty: bool) -> anyhow::Result<ExitCode> {
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
            eprintln!("command terminated with exit code {code}");
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
