//! Which cluster, as whom, in which namespace: flags that all commands share.

use crate::flags::timeout;
use crate::kubeconfig::Overrides;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Flags that all commands share.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// The kubeconfig file; else KUBECONFIG, ~/.kube/config, or the local cluster's own
    #[arg(long, value_name = "FILE", help_heading = "Cluster", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context
    #[arg(long, value_name = "NAME", help_heading = "Cluster", global = true)]
    pub context: Option<String>,
    /// The namespace
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster", global = true)]
    pub namespace: Option<String>,
    /// How long one request may take: 10s, 1m; 0: as long as it takes
    #[arg(long, value_name = "DURATION", help_heading = "Cluster", global = true, value_parser = timeout)]
    pub request_timeout: Option<Duration>,
    /// What goes over the kubeconfig
    #[command(flatten)]
    pub overrides: Box<Overrides>,
}
