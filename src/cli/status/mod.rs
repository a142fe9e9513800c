//! `raftsman status`: the masters, as they say themselves, and the nodes, as the masters know them.

mod masters;
mod nodes;

pub use masters::{Line, Masters};
pub use nodes::{NodeLine, Nodes};

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use std::process::ExitCode;

/// Prints it; success if every master is ready and a leader is known.
///
/// # Errors
/// No master answers.
pub async fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let api = Cluster::open(target).await?;
    let masters = Masters::ask(&api).await?;
    crate::out!("{}", masters.text());
    match api.read("/api/v1/nodes").await {
        Ok(list) => {
            let nodes = Nodes::now(&list);
            if !nodes.lines.is_empty() {
                crate::out!("\n{}", nodes.text());
            }
        }
        Err(error) => crate::outln!("\nNodes are not known: {error}"),
    }
    Ok(if masters.are_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
