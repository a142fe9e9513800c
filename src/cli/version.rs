//! `raftsman version`.

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use clap::Args;
use std::process::ExitCode;

/// `raftsman version`.
#[derive(Debug, Args)]
pub struct VersionOptions {
    #[command(flatten)]
    target: Target,
    /// Do not ask the server
    #[arg(long)]
    client: bool,
}

/// Prints ours, and the server's.
pub async fn run(options: &VersionOptions) -> anyhow::Result<ExitCode> {
    crate::outln!("raftsman: v{}", env!("CARGO_PKG_VERSION"));
    if options.client {
        return Ok(ExitCode::SUCCESS);
    }
    let version = Cluster::open(&options.target).await?.read("/version").await?;
    crate::outln!("server: {}", version["gitVersion"].as_str().unwrap_or("unknown"));
    Ok(ExitCode::SUCCESS)
}
