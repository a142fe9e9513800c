//! `raftsman up --restore`: a new cluster that begins with what a backup holds.

use crate::command::heal::raftsman;
use crate::command::members;
use crate::plan::{LocalCluster, PlanError, Ranges, choose_ranges, overlapped};
use anyhow::{Context, bail};
use ipnet::{IpNet, Ipv4Net};
use raftsman_api::config::{NetworkConfig, Role};
use raftsman_backup::{KeyFile, Manifest, Passphrase};
use raftsman_cli::backup::{PassphraseOptions, VARIABLE, keys, open, write_keys};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A backup that a cluster is to begin with.
pub struct Backup {
    file: PathBuf,
    passphrase: Option<Passphrase>,
    manifest: Manifest,
    keys: Vec<KeyFile>,
}

impl Backup {
    /// Opens a backup; asks for its passphrase if it needs one.
    pub fn open(file: &Path, options: &PassphraseOptions) -> anyhow::Result<Self> {
        let about = || format!("--restore {}", file.display());
        let mut reader = open(file, options).with_context(about)?;
        // The process that restores opens it again and is not to ask again.
        let passphrase = if reader.sealed() { options.given().with_context(about)? } else { None };
        if reader.sealed() && passphrase.is_none() {
            bail!("{}: give its passphrase by --passphrase-file or the variable {VARIABLE}", about());
        }
        let keys = keys(&mut reader).with_context(about)?;
        Ok(Self { file: file.to_owned(), passphrase, manifest: reader.manifest().clone(), keys })
    }

    /// The cluster's own ranges of pods and services, which its objects name, and a free one for the hosts.
    pub fn ranges(&self, used: &[Ipv4Net]) -> anyhow::Result<Ranges> {
        let network: NetworkConfig =
            serde_json::from_str(&self.manifest.network).context("--restore: the network settings in the backup")?;
        let range = |what: &str, net: IpNet| match net {
            IpNet::V4(net) if overlapped(net, used).is_some() => {
                Err(PlanError::Ranges { what: format!("{net}, the {what} range of the backup,") }.into())
            }
            IpNet::V4(net) => Ok(net),
            IpNet::V6(net) => bail!("--restore: the {what} range {net} of the backup is IPv6, local clusters are IPv4"),
        };
        let (pods, services) = (range("pods'", network.pod_cidr)?, range("services'", network.service_cidr)?);
        let mut taken = used.to_vec();
        taken.extend([pods, services]);
        Ok(Ranges { pods, services, ..choose_ranges(&taken)? })
    }

    /// Writes the cluster's files, under the backup's authority.
    pub fn write(&self, cluster: &LocalCluster) -> anyhow::Result<()> {
        if !self.keys.is_empty() {
            write_keys(&cluster.dir.join("pki"), &self.keys)?;
        }
        members::write(cluster)
    }

    /// Writes the first master's data. The others start empty and get it from that one.
    pub fn restore(&self, cluster: &LocalCluster) -> anyhow::Result<()> {
        let restored = self.first_master(cluster);
        if restored.is_err() {
            // Without its plan there is no cluster, and nothing that starts it without the backup.
            members::forget(cluster)?;
        }
        restored
    }

    fn first_master(&self, cluster: &LocalCluster) -> anyhow::Result<()> {
        let first = cluster.of(Role::Master).next().context("no master is planned")?;
        let mut command = Command::new(raftsman()?);
        command.arg("restore").arg(&self.file).arg("--config").arg(cluster.host_dir(first).join("config.yaml"));
        if let Some(passphrase) = &self.passphrase {
            command.env(VARIABLE, passphrase.reveal());
        }
        let done = command.stdin(Stdio::null()).output().context("restore the first master")?;
        if !done.status.success() {
            bail!("--restore {}: {}", self.file.display(), String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }
}
