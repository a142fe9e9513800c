//! `raftsman members`: who the masters are, and changing that.

mod change;
mod list;
mod token;

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

pub use change::ask;
pub use list::{Row, rows, table};
pub use token::{NewToken, Purpose, create_token};

/// Where members are read and changed.
pub const PATH: &str = "/raftsman/v1/members";

/// What to do with the masters.
#[derive(Debug, Subcommand)]
pub enum MembersCommand {
    /// Show the masters: who leads, who lags, which version each runs
    List(list::ListOptions),
    /// Take in a master whose keys and configuration were made with `raftsman pki`; others join by `raftsman serve --join`
    Add(change::AddOptions),
    /// Let a learner vote
    Promote(change::PromoteOptions),
    /// Let a voter only learn
    Demote(change::OneOptions),
    /// Take a master out of the cluster, for ever; the leader hands over first
    Remove(change::OneOptions),
    /// Put another master in the place of one: a learner, or a new host that joins with the token that this prints
    Replace(change::ReplaceOptions),
    /// Give a master another name or address
    Update(change::UpdateOptions),
    /// Let another master lead
    Transfer(change::TransferOptions),
    /// Tokens with which hosts join
    #[command(subcommand)]
    Token(token::TokenCommand),
}

/// Flags of every command here.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    #[command(flatten)]
    pub(crate) target: Target,
    /// json: as the server says it
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    pub(crate) output: Option<String>,
}

impl Common {
    /// Prints as JSON where that was asked for.
    fn json(&self, value: &Value) -> anyhow::Result<bool> {
        if self.output.is_none() {
            return Ok(false);
        }
        crate::outln!("{}", serde_json::to_string_pretty(value)?);
        Ok(true)
    }
}

/// Runs it.
///
/// # Errors
/// What was wrong, with which master, and what to do.
pub async fn run(command: MembersCommand) -> anyhow::Result<ExitCode> {
    match command {
        MembersCommand::List(options) => list::run(&options).await,
        MembersCommand::Add(options) => change::add(&options).await,
        MembersCommand::Promote(options) => change::promote(&options).await,
        MembersCommand::Demote(options) => change::demote(&options).await,
        MembersCommand::Remove(options) => change::remove(&options).await,
        MembersCommand::Replace(options) => change::replace(&options).await,
        MembersCommand::Update(options) => change::update(&options).await,
        MembersCommand::Transfer(options) => change::transfer(&options).await,
        MembersCommand::Token(command) => token::run(command).await,
    }
}

/// The id of a master by its name or id.
///
/// # Errors
/// There is none, or several have the name.
pub async fn id_of(cluster: &Cluster, who: &str) -> anyhow::Result<u64> {
    let all = rows(&cluster.read(PATH).await?);
    let named: Vec<&Row> = all.iter().filter(|row| row.name == who).collect();
    match named.as_slice() {
        [one] => return Ok(one.id),
        [] => {}
        several => {
            let ids: Vec<String> = several.iter().map(|row| row.id.to_string()).collect();
            bail!("several masters are named {who:?}: say which by its id ({})", ids.join(", "));
        }
    }
    if let Ok(id) = who.parse::<u64>() {
        // The server knows those that were removed, too.
        return Ok(id);
    }
    let names: Vec<&str> = all.iter().map(|row| row.name.as_str()).collect();
    bail!("there is no master {who:?}; there are {}", names.join(", "))
}

#[cfg(test)]
mod members_tests;
