//! `raftsman pki`: bundles for the hosts of a cluster file.

use crate::cluster::ClusterFile;
use crate::kubeconfig::admin_kubeconfig;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use raftsman_pki::Authority;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Keys, certificates and configuration files for real machines.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make a cluster's authority, the admin kubeconfig, and a bundle for each host of a cluster file
    Init(Bundle),
    /// Make bundles for further hosts, or new ones for some, with the authority that `pki init` made
    Issue(Bundle),
}

/// Where from and where to.
#[derive(Debug, Args)]
pub struct Bundle {
    /// The cluster file (see cluster-configs/)
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: PathBuf,
    /// The directory of the authority (ca/), the bundles (hosts/NAME/) and admin.kubeconfig
    #[arg(short, long, value_name = "DIR", default_value = "raftsman-pki")]
    out: PathBuf,
    /// Only for these hosts
    hosts: Vec<String>,
}

/// Runs it.
pub fn run(command: PkiCommand) -> anyhow::Result<ExitCode> {
    match command {
        PkiCommand::Init(bundle) => {
            let ca = bundle.out.join("ca");
            if ca.join("ca.crt").exists() {
                bail!("{} has an authority already; use `raftsman pki issue` to make bundles with it", ca.display());
            }
            write(&bundle)
        }
        PkiCommand::Issue(bundle) => {
            let ca = bundle.out.join("ca/ca.crt");
            if !ca.exists() {
                bail!("{} is not there; run `raftsman pki init` first", ca.display());
            }
            write(&bundle)
        }
    }
}

fn write(bundle: &Bundle) -> anyhow::Result<ExitCode> {
    let cluster = ClusterFile::read(&bundle.file)?;
    for host in &bundle.hosts {
        if !cluster.hosts.iter().any(|known| known.name == *host) {
            bail!("{}: hosts: there is no host {host:?}", bundle.file.display());
        }
    }
    let ca = bundle.out.join("ca");
    let authority = Authority::open(&ca, &cluster.cluster)?;
    let id = cluster_id(&ca)?;
    let wanted = |name: &String| bundle.hosts.is_empty() || bundle.hosts.contains(name);
    for host in cluster.hosts.iter().filter(|host| wanted(&host.name)) {
        let dir = bundle.out.join("hosts").join(&host.name);
        authority.write_host(&dir.join("pki"), &cluster.profile(host))?;
        let config = serde_yaml::to_string(&cluster.host_config(host, &id)).context("configuration file")?;
        raftsman_pki::write_public(&dir.join("config.yaml"), &config)?;
        crate::outln!("{}: {}", host.name, dir.display());
    }
    let admin = authority.issue_client("kubernetes-admin", &["system:masters"])?;
    let file = bundle.out.join("admin.kubeconfig");
    let masters = cluster.master_servers();
    let text = serde_yaml::to_string(&admin_kubeconfig(
        &cluster.cluster,
        cluster.virtual_server().as_deref(),
        &masters,
        authority.certificate(),
        &admin,
    ))?;
    raftsman_pki::write_private(&file, &text)?;
    crate::outln!("admin: {}", file.display());
    crate::outln!(
        "\nCopy each hosts/NAME to {} on its machine and start there:\n  raftsman serve --config {}/config.yaml",
        cluster.config_dir.display(),
        cluster.config_dir.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The cluster's id, made once beside the authority.
fn cluster_id(ca: &Path) -> anyhow::Result<String> {
    let path = ca.join("cluster-id");
    if let Ok(id) = std::fs::read_to_string(&path) {
        return Ok(id.trim().to_owned());
    }
    let id = crate::cluster::new_cluster_id();
    raftsman_pki::write_public(&path, &format!("{id}\n"))?;
    Ok(id)
}
