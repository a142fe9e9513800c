//! `raftsman kubeconfig`.

use crate::command::{Which, members};
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which, and how.
#[derive(Debug, Args)]
pub struct KubeconfigOptions {
    #[command(flatten)]
    which: Which,
    /// Print the file's path only
    #[arg(long)]
    path: bool,
    /// Write it to this file instead (mode 0600)
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// Prints or writes.
pub fn run(options: &KubeconfigOptions) -> anyhow::Result<ExitCode> {
    let cluster = members::existing(&options.which)?;
    let file = cluster.kubeconfig();
    if options.path {
        raftsman_cli::outln!("{}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    match &options.raw {
        Some(target) => raftsman_pki::write_private(target, &text)?,
        None => raftsman_cli::out!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}
