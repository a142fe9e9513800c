//! `raftsman status` of a cluster anywhere: its masters, as they say themselves.

use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::members::{PATH, Row, rows};
use crate::output::columns;
use serde_json::Value;
use std::process::ExitCode;

/// Prints it; success if every master is ready and a leader is known.
///
/// # Errors
/// No master answers.
pub async fn run(target: &Target) -> anyhow::Result<ExitCode> {
    let answer = Cluster::open(target).await?.read(PATH).await?;
    let (text, well) = text(&answer);
    crate::out!("{text}");
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As people read it, and whether everything is well.
fn text(answer: &Value) -> (String, bool) {
    let all = rows(answer);
    let leader = answer["leader"].as_u64().and_then(|id| all.iter().find(|row| row.id == id));
    let mut text = match leader {
        Some(leader) => format!("Leader: {}, term {}\n\n", leader.name, answer["term"].as_u64().unwrap_or_default()),
        None => "Leader: none. Do more than half of the masters that vote run and reach one another?\n\n".to_owned(),
    };
    let head =
        ["MASTER", "ADDRESS", "READY", "ROLE", "LAG", "APPLIED", "REVISION", "VERSION", "CERTIFICATE", "DISK FREE"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(all.iter().map(line));
    text.push_str(&columns(&lines));
    for row in &all {
        if let Some(why) = row.error.as_ref().or(row.reason.as_ref().filter(|why| !why.is_empty())) {
            text.push_str(&format!("{}: {why}\n", row.name));
        }
        if row.certificate_days.is_some_and(|days| days < 30) {
            let days = row.certificate_days.unwrap_or_default();
            text.push_str(&format!(
                "{}: its certificate ends in {days} days; `raftsman pki issue` makes a new one\n",
                row.name
            ));
        }
    }
    let well = leader.is_some() && all.iter().all(|row| row.ready == Some(true));
    (text, well)
}

fn line(row: &Row) -> Vec<String> {
    let some = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let ready = match (row.ready, &row.error) {
        (Some(true), _) => "yes",
        (Some(false), _) => "no",
        (None, _) => "no answer",
    };
    let disk = match (row.disk_free, row.disk_total) {
        (Some(free), Some(total)) if total > 0 => {
            format!("{:.1} GB ({}%)", free as f64 / 1e9, free.saturating_mul(100) / total)
        }
        _ => "-".to_owned(),
    };
    vec![
        row.name.clone(),
        row.address.clone(),
        ready.to_owned(),
        row.role.clone(),
        some(row.lag),
        some(row.applied),
        some(row.revision),
        row.version.as_ref().map_or_else(|| "-".to_owned(), |version| format!("v{version}")),
        row.certificate_days.map_or_else(|| "-".to_owned(), |days| format!("{days} days")),
        disk,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_said_below_the_table() {
        let answer = json!({ "leader": 1, "term": 7, "members": [
            { "id": 1, "name": "m1", "address": "10.0.0.1:6444", "role": "leader", "voter": true, "lag": 0, "ready": true,
              "version": "0.1.0", "applied": 90, "revision": 40, "certificateDays": 12, "diskFree": 5_000_000_000u64,
              "diskTotal": 10_000_000_000u64 },
            { "id": 2, "name": "m2", "address": "10.0.0.2:6444", "role": "voter", "voter": true,
              "error": "no answer within 1 s" },
        ]});
        let golden = "\
Leader: m1, term 7

MASTER   ADDRESS         READY       ROLE     LAG   APPLIED   REVISION   VERSION   CERTIFICATE   DISK FREE
m1       10.0.0.1:6444   yes         leader   0     90        40         v0.1.0    12 days       5.0 GB (50%)
m2       10.0.0.2:6444   no answer   voter    -     -         -          -         -             -
m1: its certificate ends in 12 days; `raftsman pki issue` makes a new one
m2: no answer within 1 s
";
        let (text, well) = text(&answer);
        assert_eq!(text, golden);
        assert!(!well);
        let (text, well) = super::text(&json!({ "members": [] }));
        assert!(text.starts_with("Leader: none") && !well);
    }
}
