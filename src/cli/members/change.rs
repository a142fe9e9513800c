//! The commands that change the masters.

use crate::connect::{Cluster, Failure};
use crate::members::token::{NewToken, Purpose, create_token, how_to_join};
use crate::members::{Common, PATH, id_of};
use anyhow::bail;
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a learner that catches up is waited for, in all.
const CATCH_UP: Duration = Duration::from_secs(600);

/// One master.
#[derive(Debug, Args)]
pub struct OneOptions {
    #[command(flatten)]
    common: Common,
    /// Its name or id
    master: String,
}

/// `raftsman members add`.
#[derive(Debug, Args)]
pub struct AddOptions {
    #[command(flatten)]
    common: Common,
    /// Its host name, which its certificate carries
    name: String,
    /// Its address, or ADDRESS:PORT of its peer service
    address: String,
    /// It only learns, until it is promoted
    #[arg(long)]
    learner: bool,
}

/// `raftsman members promote`.
#[derive(Debug, Args)]
pub struct PromoteOptions {
    #[command(flatten)]
    one: OneOptions,
    /// Also when it lags: until it has caught up, the cluster survives less
    #[arg(long)]
    force: bool,
}

/// `raftsman members replace`.
#[derive(Debug, Args)]
pub struct ReplaceOptions {
    #[command(flatten)]
    one: OneOptions,
    /// A learner that takes its place; without: a token for a new host is made
    with: Option<String>,
}

/// `raftsman members update`.
#[derive(Debug, Args)]
pub struct UpdateOptions {
    #[command(flatten)]
    one: OneOptions,
    /// Its host name from now on
    #[arg(long, value_name = "NAME", required_unless_present = "address")]
    name: Option<String>,
    /// Its address from now on, or ADDRESS:PORT of its peer service
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Also when it does not answer there yet
    #[arg(long)]
    force: bool,
}

/// `raftsman members transfer`.
#[derive(Debug, Args)]
pub struct TransferOptions {
    #[command(flatten)]
    common: Common,
    /// Who is to lead; without: the voter that is nearest
    master: Option<String>,
}

/// Asks for a change. Asked for twice it is made once, so an answer that was lost is asked for again, and so is a learner
/// that is still catching up.
///
/// # Errors
/// The server's refusal.
pub async fn ask(cluster: &Cluster, change: &Value) -> Result<Value, Failure> {
    let begun = Instant::now();
    loop {
        let answer = cluster.write(Method::POST, PATH, "application/json", change).await;
        let again = match &answer {
            Err(Failure::Connect(crate::connect::ConnectError::Unknown { .. })) => {
                begun.elapsed() < Duration::from_secs(60)
            }
            Err(failure) => {
                failure.code() == Some(503) && failure.message().contains("catches up") && begun.elapsed() < CATCH_UP
            }
            Ok(_) => false,
        };
        if !again {
            return answer;
        }
        if let Err(failure) = &answer {
            eprintln!("{}", failure.message());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Asks and says what was done.
async fn done(common: &Common, cluster: &Cluster, change: Value, what: &str) -> anyhow::Result<ExitCode> {
    let changed = ask(cluster, &change).await?;
    if !common.json(&changed)? {
        crate::outln!("{what}{}", if changed["already"] == true { " (it was so already)" } else { "" });
        if let Some(advice) = changed["advice"].as_str().filter(|advice| !advice.is_empty()) {
            crate::outln!("Note: {advice}.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn add(options: &AddOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.common.target).await?;
    let change = json!({
        "change": "add", "name": options.name, "address": options.address, "voter": !options.learner,
        // An answer that is lost must not make it look taken.
        "key": format!("cli-{:016x}", rand::random::<u64>()),
    });
    let changed = ask(&cluster, &change).await?;
    if !options.common.json(&changed)? {
        let (id, name) = (changed["member"].as_u64().unwrap_or_default(), &options.name);
        crate::outln!("master {name} is a member with id {id}");
        crate::outln!(
            "Start it with {{ name: {name}, id: {id}, address: {} }} among `masters` and `joined: true` in its configuration.",
            options.address
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn promote(options: &PromoteOptions) -> anyhow::Result<ExitCode> {
    let OneOptions { common, master } = &options.one;
    let cluster = Cluster::open(&common.target).await?;
    let change = json!({ "change": "promote", "member": id_of(&cluster, master).await?, "force": options.force });
    done(common, &cluster, change, &format!("master {master} votes")).await
}

pub(super) async fn demote(options: &OneOptions) -> anyhow::Result<ExitCode> {
    let OneOptions { common, master } = options;
    let cluster = Cluster::open(&common.target).await?;
    let change = json!({ "change": "demote", "member": id_of(&cluster, master).await? });
    done(common, &cluster, change, &format!("master {master} learns and does not vote")).await
}

pub(super) async fn remove(options: &OneOptions) -> anyhow::Result<ExitCode> {
    let OneOptions { common, master } = options;
    let cluster = Cluster::open(&common.target).await?;
    let change = json!({ "change": "remove", "member": id_of(&cluster, master).await? });
    done(common, &cluster, change, &format!("master {master} is a member no more")).await
}

pub(super) async fn replace(options: &ReplaceOptions) -> anyhow::Result<ExitCode> {
    let OneOptions { common, master } = &options.one;
    let cluster = Cluster::open(&common.target).await?;
    let old = id_of(&cluster, master).await?;
    if let Some(with) = &options.with {
        let change = json!({ "change": "replace", "member": old, "with": id_of(&cluster, with).await? });
        return done(common, &cluster, change, &format!("master {with} has the place of {master}")).await;
    }
    if master.parse::<u64>().is_ok() {
        bail!("name the master by its name: the token is for the place of that name");
    }
    let token = NewToken { purpose: Purpose::Master, replaces: Some(master.clone()), ..NewToken::default() };
    let made = create_token(&cluster, &common.target, &token).await?;
    if !common.json(&json!(made))? {
        crate::outln!("On the new host, which takes the place of {master} when it has caught up:\n");
        crate::outln!("  {} --name {master}", how_to_join(&cluster, &made, Purpose::Master));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn update(options: &UpdateOptions) -> anyhow::Result<ExitCode> {
    let OneOptions { common, master } = &options.one;
    let cluster = Cluster::open(&common.target).await?;
    let change = json!({
        "change": "update", "member": id_of(&cluster, master).await?, "name": options.name, "address": options.address,
        "force": options.force,
    });
    done(common, &cluster, change, &format!("master {master} is known there now")).await
}

pub(super) async fn transfer(options: &TransferOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.common.target).await?;
    let to = match &options.master {
        Some(master) => Some(id_of(&cluster, master).await?),
        None => None,
    };
    let changed = ask(&cluster, &json!({ "change": "transfer", "to": to })).await?;
    if !options.common.json(&changed)? {
        let leader = changed["member"].as_u64().unwrap_or_default();
        let all = super::rows(&cluster.read(PATH).await?);
        let name = all.iter().find(|row| row.id == leader).map_or_else(|| leader.to_string(), |row| row.name.clone());
        crate::outln!("master {name} leads");
    }
    Ok(ExitCode::SUCCESS)
}
