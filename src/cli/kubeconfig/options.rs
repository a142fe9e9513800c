//! Which cluster, as whom, in which namespace: flags that all commands share.

use clap::Args;
use std::path::PathBuf;

/// Flags that all commands share.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// The kubeconfig file; else KUBECONFIG, ~/.kube/config, or the local cluster's own
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub context: Option<String>,
    /// The namespace
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster")]
    pub namespace: Option<String>,
}
