//! From a token to a configuration.

use crate::join::client::{JoinError, MasterClient};
use crate::join::token::JoinToken;
use anyhow::{Context, bail};
use clap::Args;
use http::Method;
use raftsman_api::config::{AuthorityAnswer, HostConfig, JoinRequest, Joined, Pki, Role};
use raftsman_pki::{HostKey, pin, write_private, write_public};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a cluster that cannot take a host now is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// How a host joins a cluster.
#[derive(Debug, Clone, Args)]
pub struct JoinOptions {
    /// Join the cluster of the master whose API is at HOST:PORT; a host that has joined only serves
    #[arg(long, value_name = "HOST:PORT", requires = "token")]
    pub join: Option<String>,
    /// The token, as `raftsman members token create` prints it
    #[arg(long, value_name = "TOKEN", env = "RAFTSMAN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// This host's name in the cluster [default: its host name]
    #[arg(long, value_name = "NAME", requires = "join")]
    pub name: Option<String>,
    /// This host's address, reached by all others [default: the one from which it reaches the master]
    #[arg(long, value_name = "IP", requires = "join")]
    pub address: Option<IpAddr>,
    /// Where state, keys and configuration are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/raftsman")]
    pub data_dir: PathBuf,
    /// Join as a node, not as a master
    #[arg(long, requires = "join")]
    pub node: bool,
    /// Join as a master that only learns, until `raftsman members promote`
    #[arg(long, requires = "join", conflicts_with = "node")]
    pub learner: bool,
}

impl JoinOptions {
    fn role(&self) -> Role {
        if self.node { Role::Node } else { Role::Master }
    }
}

/// Has the host join, unless it has; its configuration file, which `config` may name.
///
/// # Errors
/// In one line: what was wrong with the token, the name, the clock or the way to the master, and what to do.
pub async fn prepare(options: &JoinOptions, server: &str, config: Option<&Path>) -> anyhow::Result<PathBuf> {
    let file = config.map_or_else(|| options.data_dir.join("config.yaml"), Path::to_owned);
    if file.exists() {
        return Ok(file);
    }
    let token = JoinToken::parse(options.token.as_deref().unwrap_or_default())?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => host_name()?,
    };
    let address = match options.address {
        Some(address) => address,
        None => address_towards(server)?,
    };
    let pki = options.data_dir.join("pki");
    let key = host_key(&pki, &name)?;
    let authority = authority(server, &token).await?;
    let asked = JoinRequest {
        name: name.clone(),
        address,
        role: options.role(),
        learner: options.learner,
        request: key.request.clone(),
        time: jiff::Timestamp::now().as_second(),
    };
    let joined = join(&MasterClient::trusting(server, &authority)?, &token, &asked).await?;
    write_public(&pki.join("ca.crt"), &authority)?;
    write_public(&pki.join("host.crt"), &joined.certificate)?;
    let text =
        serde_yaml::to_string(&configuration(options, &name, address, pki, joined)).context("configuration file")?;
    // Last: with it the host has joined.
    write_public(&file, &text)?;
    eprintln!(
        "joined as {} {name:?} at {address}; configuration: {}",
        if options.node { "node" } else { "master" },
        file.display()
    );
    Ok(file)
}

/// The host's key: what an attempt before this one made is used again, so that its token still counts.
fn host_key(pki: &Path, name: &str) -> anyhow::Result<HostKey> {
    let path = pki.join("host.key");
    match std::fs::read_to_string(&path) {
        Ok(key) => HostKey::with_key(name, &key).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = HostKey::generate(name)?;
            write_private(&path, &made.key)?;
            Ok(made)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The cluster's authority, PEM, if it is the one that the token names.
async fn authority(server: &str, token: &JoinToken) -> anyhow::Result<String> {
    let client = MasterClient::unknown(server)?;
    let shown: AuthorityAnswer = patiently(|| client.ask(Method::GET, "/raftsman/v1/ca", None, &json!(null))).await?;
    let found = pin(&shown.certificate).with_context(|| format!("the authority that {server} shows"))?;
    if found != token.pin {
        bail!(
            "{server} belongs to another cluster than the token, or somebody is in between: its authority has the hash \
             {found}, the token says {}",
            token.pin
        );
    }
    Ok(shown.certificate)
}

async fn join(client: &MasterClient, token: &JoinToken, asked: &JoinRequest) -> anyhow::Result<Joined> {
    patiently(|| client.ask(Method::POST, "/raftsman/v1/join", Some(&token.bearer), asked)).await
}

/// Asks again while there is hope.
async fn patiently<T, F: Future<Output = Result<T, JoinError>>>(mut ask: impl FnMut() -> F) -> anyhow::Result<T> {
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(JoinError::Refused(why)) => bail!("{why}"),
            Err(JoinError::Later(why)) if begun.elapsed() > PATIENCE => return Err(why),
            Err(JoinError::Later(why)) => {
                let now = format!("{why:#}");
                if now != said {
                    eprintln!("waiting: {now}");
                    said = now;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn configuration(options: &JoinOptions, name: &str, address: IpAddr, pki: PathBuf, joined: Joined) -> HostConfig {
    HostConfig {
        cluster: joined.cluster,
        cluster_id: joined.cluster_id,
        name: name.to_owned(),
        roles: vec![options.role()],
        address,
        data_dir: options.data_dir.clone(),
        pki: Pki { dir: pki },
        masters: joined.masters,
        joined: true,
        vip: joined.vip,
        ports: joined.ports,
        network: joined.network,
        timing: joined.timing,
        backup: joined.backup.filter(|_| options.role() == Role::Master),
        image_dir: None,
        insecure_registries: Vec::new(),
        cgroup_parent: None,
        pod_pids_limit: None,
        level_at_most: None,
        node_labels: BTreeMap::new(),
    }
}

fn host_name() -> anyhow::Result<String> {
    let name = nix::unistd::gethostname().context("find the host name")?.to_string_lossy().into_owned();
    // The first label: what comes after it is the network's.
    let label = name.split('.').next().unwrap_or_default().to_lowercase();
    if crate::cluster::is_dns_label(&label) {
        Ok(label)
    } else {
        bail!("the host name {name:?} is no DNS label: give one with --name")
    }
}

/// The address from which this host reaches a master. Nothing is sent.
fn address_towards(server: &str) -> anyhow::Result<IpAddr> {
    let why = || format!("find this host's address towards {server}; give it with --address");
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:6443") };
    let any = if server.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).with_context(why)?;
    socket.connect(&server).with_context(why)?;
    Ok(socket.local_addr().with_context(why)?.ip())
}
