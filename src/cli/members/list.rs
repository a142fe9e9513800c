//! `raftsman members list`.

use crate::connect::Cluster;
use crate::members::{Common, PATH};
use crate::output::columns;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use std::process::ExitCode;

/// `raftsman members list`.
#[derive(Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    common: Common,
}

/// One master, as the masters say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Row {
    /// Member id.
    pub id: u64,
    /// Host name.
    pub name: String,
    /// `host:port` of its peer service.
    pub address: String,
    /// leader, voter or learner.
    pub role: String,
    /// It votes.
    pub voter: bool,
    /// Log entries that it does not have yet.
    pub lag: Option<u64>,
    /// Since it last answered the leader.
    pub last_seen_millis: Option<u64>,
    /// Its program's version.
    pub version: Option<String>,
    /// What its program said that it can do.
    pub level: Option<u32>,
    /// It gives linearizable answers.
    pub ready: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// Days until its certificate ends.
    pub certificate_days: Option<i64>,
    /// Free bytes where its state is.
    pub disk_free: Option<u64>,
    /// All bytes there.
    pub disk_total: Option<u64>,
    /// Its newest applied log entry.
    pub applied: Option<u64>,
    /// Its newest revision.
    pub revision: Option<u64>,
    /// Why it told nothing of itself.
    pub error: Option<String>,
}

/// The masters of an answer.
pub fn rows(answer: &Value) -> Vec<Row> {
    let all = answer["members"].as_array().into_iter().flatten();
    all.filter_map(|row| serde_json::from_value(row.clone()).ok()).collect()
}

/// A cell, `-` for nothing.
pub(crate) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// How long ago, in few characters.
pub(crate) fn ago(millis: Option<u64>) -> String {
    match millis {
        None => "-".to_owned(),
        Some(millis) if millis < 1000 => "now".to_owned(),
        Some(millis) if millis < 120_000 => format!("{}s ago", millis / 1000),
        Some(millis) => format!("{}m ago", millis / 60_000),
    }
}

/// As people read it.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![["ID", "NAME", "ADDRESS", "ROLE", "LAG", "LAST SEEN", "VERSION"].map(str::to_owned)];
    for row in rows {
        // A leader does not send itself heartbeats.
        let seen =
            if row.role == "leader" && row.error.is_none() { "now".to_owned() } else { ago(row.last_seen_millis) };
        let version = row.version.as_ref().map(|version| format!("v{version}"));
        lines.push([
            row.id.to_string(),
            row.name.clone(),
            row.address.clone(),
            row.role.clone(),
            cell(row.lag),
            seen,
            cell(version),
        ]);
    }
    columns(&lines)
}

pub(super) async fn run(options: &ListOptions) -> anyhow::Result<ExitCode> {
    let answer = Cluster::open(&options.common.target).await?.read(PATH).await?;
    if !options.common.json(&answer)? {
        crate::out!("{}", table(&rows(&answer)));
    }
    Ok(ExitCode::SUCCESS)
}
