//! `raftsman members token`: tokens with which hosts join.
//!
//! A token is `ID.SECRET.PIN`. The cluster keeps a hash of the secret, in a Secret of type `bootstrap.kubernetes.io/token`;
//! the pin is the hash of the authority's public key, by which a host knows whom it talks to.

use crate::connect::Cluster;
use crate::kubeconfig::{Access, Target};
use crate::members::Common;
use crate::output::{Finish, columns};
use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::process::ExitCode;

const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
const TYPE: &str = "bootstrap.kubernetes.io/token";
const PREFIX: &str = "bootstrap-token-";

/// What a token lets a host be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A master.
    #[default]
    Master,
    /// A node.
    Node,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make one, for one host
    Create(CreateOptions),
    /// Show those that there are
    List(Common),
    /// Take some back
    Revoke(RevokeOptions),
}

/// `raftsman members token create`.
#[derive(Debug, Args)]
pub struct CreateOptions {
    #[command(flatten)]
    common: Common,
    /// For a node, not for a master
    #[arg(long)]
    node: bool,
    /// The new master takes the place of this one when it has caught up
    #[arg(long, value_name = "MASTER", conflicts_with = "node")]
    replaces: Option<String>,
    /// How long it is good for: 15m, 24h, 2d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = life)]
    ttl: SignedDuration,
    /// What it is for, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
}

/// `raftsman members token revoke`.
#[derive(Debug, Args)]
pub struct RevokeOptions {
    #[command(flatten)]
    common: Common,
    /// Their ids, or whole tokens
    #[arg(required = true, value_name = "TOKEN")]
    tokens: Vec<String>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it lets a host be.
    pub purpose: Purpose,
    /// The master whose place is taken.
    pub replaces: Option<String>,
    /// How long it is good for.
    pub ttl: SignedDuration,
    /// What it is for, for people.
    pub description: String,
}

impl Default for NewToken {
    fn default() -> Self {
        let ttl = SignedDuration::from_hours(24);
        Self { purpose: Purpose::default(), replaces: None, ttl, description: String::new() }
    }
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// What the host needs; shown this once.
    pub token: String,
    /// Its id.
    pub id: String,
    /// When it ends.
    pub expiration: String,
}

/// A time to live: at least a minute, at most 30 days.
fn life(text: &str) -> Result<SignedDuration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("use a number and s, m, h or d, such as 24h".to_owned()),
    };
    let count: i64 = count.parse().map_err(|_| "use a number and s, m, h or d, such as 24h".to_owned())?;
    match count.checked_mul(seconds) {
        Some(total) if (60..=30 * 86_400).contains(&total) => Ok(SignedDuration::from_secs(total)),
        _ => Err("use at least 1m and at most 30d".to_owned()),
    }
}

pub(super) async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create(options) => create(&options).await,
        TokenCommand::List(common) => list(&common).await,
        TokenCommand::Revoke(options) => revoke(&options).await,
    }
}

/// Makes a token and keeps its hash in the cluster.
///
/// # Errors
/// The cluster refuses, or the kubeconfig has no authority to pin.
pub async fn create_token(cluster: &Cluster, target: &Target, new: &NewToken) -> anyhow::Result<Token> {
    let pin = pin(target).await?;
    let (id, secret) = (letters(6), letters(32));
    let hash: String = Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let end = Timestamp::now().checked_add(new.ttl).context("time to live")?;
    let expiration = format!("{:.0}", end);
    let mut data = json!({
        "token-id": id, "token-hash": hash, "expiration": expiration,
        "usage-raftsman-join": if new.purpose == Purpose::Master { "master" } else { "node" },
        "description": new.description,
    });
    if let Some(replaces) = &new.replaces {
        super::id_of(cluster, replaces).await?;
        data["replaces"] = replaces.as_str().into();
    }
    let secret_object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": TYPE, "stringData": data,
        "metadata": { "name": format!("{PREFIX}{id}"), "namespace": "kube-system" },
    });
    let path = format!("{SECRETS}?fieldManager=raftsman-members");
    cluster.write(Method::POST, &path, "application/json", &secret_object).await?;
    Ok(Token { token: format!("{id}.{secret}.{pin}"), id, expiration })
}

/// The hash of the authority that the kubeconfig trusts.
async fn pin(target: &Target) -> anyhow::Result<String> {
    let access = Access::find(target).await?;
    let Some(authority) = access.config.root_cert.as_ref().and_then(|all| all.first()) else {
        bail!("the kubeconfig has no certificate-authority-data: a token carries the authority's hash");
    };
    Ok(raftsman_pki::pin_der(authority)?)
}

fn letters(count: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // Seeded and reseeded by the system, and made for secrets.
    let mut random = rand::rng();
    (0..count).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// The command that joins with a token.
pub(super) fn how_to_join(cluster: &Cluster, token: &Token, purpose: Purpose) -> String {
    let server = cluster.masters().servers().next().and_then(|server| server.authority()).map(ToString::to_string);
    let server = server.unwrap_or_else(|| "MASTER:6443".to_owned());
    let node = if purpose == Purpose::Node { " --node" } else { "" };
    format!("raftsman serve --join {server} --token {}{node}", token.token)
}

async fn create(options: &CreateOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.common.target).await?;
    let purpose = if options.node { Purpose::Node } else { Purpose::Master };
    let new = NewToken {
        purpose,
        replaces: options.replaces.clone(),
        ttl: options.ttl,
        description: options.description.clone(),
    };
    let made = create_token(&cluster, &options.common.target, &new).await?;
    if !options.common.json(&json!(made))? {
        crate::outln!("{}", made.token);
        eprintln!("\nGood for one host until {}. There:\n  {}", made.expiration, how_to_join(&cluster, &made, purpose));
    }
    Ok(ExitCode::SUCCESS)
}

fn field(secret: &Value, name: &str) -> String {
    let bytes = STANDARD.decode(secret["data"][name].as_str().unwrap_or_default()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Tokens as rows: id, purpose, end, use, description.
pub(super) fn token_rows(secrets: &Value, now: Timestamp) -> Vec<[String; 5]> {
    let all = secrets["items"].as_array().into_iter().flatten();
    all.filter(|secret| !field(secret, "token-hash").is_empty())
        .map(|secret| {
            let end = field(secret, "expiration");
            let ended = end.parse::<Timestamp>().is_ok_and(|end| end <= now);
            let replaces = field(secret, "replaces");
            let mut purpose = field(secret, "usage-raftsman-join");
            if !replaces.is_empty() {
                purpose = format!("{purpose} for {replaces}");
            }
            let by = field(secret, "used-by");
            let used = if by.is_empty() { "-".to_owned() } else { by };
            let end = if ended { format!("{end} (ended)") } else { end };
            [field(secret, "token-id"), purpose, end, used, field(secret, "description")]
        })
        .collect()
}

async fn list(common: &Common) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&common.target).await?;
    let secrets = cluster.read(&format!("{SECRETS}?fieldSelector=type%3Dbootstrap.kubernetes.io%2Ftoken")).await?;
    let rows = token_rows(&secrets, Timestamp::now());
    let names = ["id", "purpose", "expiration", "usedBy", "description"];
    let as_json: Vec<Value> =
        rows.iter().map(|row| names.iter().zip(row).map(|(n, v)| ((*n).to_owned(), json!(v))).collect()).collect();
    if !common.json(&json!(as_json))? {
        let mut lines = vec![["ID", "PURPOSE", "ENDS", "USED BY", "DESCRIPTION"].map(str::to_owned)];
        lines.extend(rows);
        crate::out!("{}", columns(&lines));
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(options: &RevokeOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.common.target).await?;
    let mut finish = Finish::default();
    for token in &options.tokens {
        let id = token.split('.').next().unwrap_or_default();
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !plain {
            finish.error(&anyhow::anyhow!("{id:?} is no token's id"));
            continue;
        }
        match cluster.write(Method::DELETE, &format!("{SECRETS}/{PREFIX}{id}"), "application/json", &json!({})).await {
            Ok(_) => crate::outln!("token {id} revoked"),
            Err(failure) if failure.code() == Some(404) => finish.error(&anyhow::anyhow!("there is no token {id}")),
            Err(failure) => finish.error(&failure.into()),
        }
    }
    Ok(finish.code())
}
