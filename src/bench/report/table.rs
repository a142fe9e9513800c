//! The table.

use super::{Compared, Report, Restart, Row};
use raftsman_cli::output::columns;
use raftsman_cli::{out, outln};
use std::path::Path;

/// Prints a report, and writes it as JSON if a file is named.
pub(crate) fn print<T: serde::Serialize>(text: &str, report: &T, json: Option<&Path>) -> anyhow::Result<()> {
    out!("{text}");
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
        outln!("figures in {}", path.display());
    }
    Ok(())
}

/// The table of a report, threads' shares too if asked for.
pub(crate) fn table(report: &Report, threads: bool) -> String {
    let head =
        ["WORK", "SYSTEM", "PER SECOND", "P50 MS", "P99 MS", "P99.9 MS", "MEMBERS µS/OP", "CLIENT µS/OP", "FAILED"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(report.medians.iter().map(figures));
    let mut text = columns(&rows);
    if threads {
        for row in &report.medians {
            let shares = row.measured.threads_cpu_us.iter().filter(|(_, cpu)| **cpu >= 0.1);
            let shares: Vec<String> = shares.map(|(name, cpu)| format!("{name} {cpu:.1}")).collect();
            text.push_str(&format!("{} {} µs/op by thread: {}\n", row.work.name(), row.system, shares.join(", ")));
        }
    }
    if !report.ratios.is_empty() {
        let head = ["RAFTSMAN / ETCD", "PER SECOND", "P50", "P99", "MEMBERS CPU"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(report.ratios.iter().map(compared));
        text.push('\n');
        text.push_str(&columns(&rows));
    }
    if !report.goals.is_empty() {
        text.push('\n');
        report.goals.iter().for_each(|goal| text.push_str(&format!("{goal}\n")));
    }
    text.push('\n');
    for Restart { system, seconds, snapshots } in report.restarts() {
        let snapshots =
            snapshots.map_or_else(String::new, |(count, mean)| format!(", {count} snapshots of {:.0} ms", mean * 1e3));
        text.push_str(&format!("{system}: a member restarts in {seconds:.2} s{snapshots}\n"));
    }
    let machine = &report.machine;
    text.push_str(&format!(
        "\n{} processors ({}), Linux {}, load {} at the start; {}; values of {} bytes, fsync on; elections under load: {}\n",
        machine.processors,
        machine.model,
        machine.kernel,
        machine.load,
        if machine.optimised { "release build" } else { "development build" },
        report.value_bytes,
        report.elections,
    ));
    text
}

fn figures(row: &Row) -> [String; 9] {
    let measured = &row.measured;
    [
        row.work.name(),
        row.system.to_owned(),
        format!("{:.0}", measured.per_second),
        format!("{:.2}", measured.p50_ms),
        format!("{:.2}", measured.p99_ms),
        format!("{:.2}", measured.p999_ms),
        format!("{:.0}", measured.members_cpu_us),
        format!("{:.0}", measured.client_cpu_us),
        measured.failures.to_string(),
    ]
}

fn compared(row: &Compared) -> [String; 5] {
    let two = |ratio: f64| format!("{ratio:.2}");
    [row.work.name(), two(row.per_second), two(row.p50), two(row.p99), two(row.members_cpu)]
}
