//! Figures of several rounds, their medians, and how two systems compare.

use super::{Goal, Judged, Machine};
use crate::load::Measured;
use serde::Serialize;

/// What was done, as rows of a report name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Work {
    /// `write`, `compare-and-write`, `read`, `watch`.
    pub(crate) operation: &'static str,
    /// Clients at once.
    pub(crate) clients: usize,
    /// Through which member: `leader` or `follower`.
    pub(crate) through: &'static str,
}

impl Work {
    /// A name for the command line: `write-64-leader`.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}-{}", self.operation, self.clients, self.through)
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `raftsman` or `etcd`.
    pub(crate) system: &'static str,
    /// What was done.
    #[serde(flatten)]
    pub(crate) work: Work,
    /// The round, from 1; 0 in medians.
    pub(crate) round: usize,
    /// What came out.
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// Ours divided by the other's: above 1 is better in rates, below 1 in times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Compared {
    /// What was done.
    #[serde(flatten)]
    pub(crate) work: Work,
    /// Of operations per second.
    pub(crate) per_second: f64,
    /// Of median latencies.
    pub(crate) p50: f64,
    /// Of 99th percentiles.
    pub(crate) p99: f64,
    /// Of the members' CPU time per operation.
    pub(crate) members_cpu: f64,
}

/// A member that was killed and started again after a round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Restart {
    /// `raftsman` or `etcd`.
    pub(crate) system: &'static str,
    /// Until it gave a linearizable answer.
    pub(crate) seconds: f64,
    /// Snapshots that the leader had made, and how long one took on average, in seconds; not known of etcd.
    pub(crate) snapshots: Option<(f64, f64)>,
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Where.
    pub(crate) machine: Machine,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Changes of leader or term in our cluster while it was under load.
    pub(crate) elections: u64,
    /// Every measurement.
    pub(crate) rows: Vec<Row>,
    /// Medians over rounds, each figure by itself.
    pub(crate) medians: Vec<Row>,
    /// Ratios of medians; empty if one system was measured.
    pub(crate) ratios: Vec<Compared>,
    /// What was to be reached, and whether it was.
    pub(crate) goals: Vec<Judged>,
    /// After each round.
    pub(crate) restarts: Vec<Restart>,
}

impl Report {
    /// From all measurements.
    pub(crate) fn new(
        machine: Machine,
        value_bytes: usize,
        elections: u64,
        rows: Vec<Row>,
        restarts: Vec<Restart>,
        goals: &[Goal],
    ) -> Self {
        let medians = medians(&rows);
        let ratios = ratios(&medians);
        let goals = Judged::all(goals, &ratios);
        Self { machine, value_bytes, elections, rows, medians, ratios, goals, restarts }
    }
}

impl Report {
    /// Of each system: the median restart, and the snapshots of its leaders with their average.
    pub(crate) fn restarts(&self) -> Vec<Restart> {
        let mut systems: Vec<&'static str> = self.restarts.iter().map(|restart| restart.system).collect();
        systems.sort_by_key(|system| *system != "raftsman");
        systems.dedup();
        let of = |system: &'static str| {
            let all = || self.restarts.iter().filter(move |restart| restart.system == system);
            let count: f64 = all().filter_map(|restart| restart.snapshots).map(|(count, _)| count).sum();
            let sum: f64 = all().filter_map(|restart| restart.snapshots).map(|(count, mean)| count * mean).sum();
            let known = all().any(|restart| restart.snapshots.is_some());
            let seconds = median(all().map(|restart| restart.seconds).collect());
            Restart { system, seconds, snapshots: known.then(|| (count, ratio(sum, count))) }
        };
        systems.into_iter().map(of).collect()
    }
}

fn medians(rows: &[Row]) -> Vec<Row> {
    let mut names: Vec<(Work, &'static str)> = Vec::new();
    for row in rows {
        let name = (row.work.clone(), row.system);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |work: Work, system: &'static str| {
        let same: Vec<&Measured> =
            rows.iter().filter(|row| row.work == work && row.system == system).map(|row| &row.measured).collect();
        let middle = |figure: fn(&Measured) -> f64| median(same.iter().map(|measured| figure(measured)).collect());
        let threads = same.iter().flat_map(|measured| measured.threads_cpu_us.keys().cloned());
        let threads: std::collections::BTreeSet<String> = threads.collect();
        let thread = |name: &String| {
            median(same.iter().map(|measured| measured.threads_cpu_us.get(name).copied().unwrap_or(0.0)).collect())
        };
        let measured = Measured {
            operations: same.iter().map(|measured| measured.operations).sum(),
            failures: same.iter().map(|measured| measured.failures).sum(),
            per_second: middle(|measured| measured.per_second),
            p50_ms: middle(|measured| measured.p50_ms),
            p99_ms: middle(|measured| measured.p99_ms),
            p999_ms: middle(|measured| measured.p999_ms),
            members_cpu_us: middle(|measured| measured.members_cpu_us),
            client_cpu_us: middle(|measured| measured.client_cpu_us),
            threads_cpu_us: threads.iter().map(|name| (name.clone(), thread(name))).collect(),
        };
        Row { system, work, round: 0, measured }
    };
    names.into_iter().map(|(work, system)| of(work, system)).collect()
}

fn ratios(medians: &[Row]) -> Vec<Compared> {
    let ours = medians.iter().filter(|row| row.system == "raftsman");
    ours.filter_map(|ours| {
        let theirs = medians.iter().find(|row| row.system != "raftsman" && row.work == ours.work)?;
        let (a, b) = (&ours.measured, &theirs.measured);
        Some(Compared {
            work: ours.work.clone(),
            per_second: ratio(a.per_second, b.per_second),
            p50: ratio(a.p50_ms, b.p50_ms),
            p99: ratio(a.p99_ms, b.p99_ms),
            members_cpu: ratio(a.members_cpu_us, b.members_cpu_us),
        })
    })
    .collect()
}

/// 0 where there is nothing to divide by.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => (upper + values[middle - 1]) / 2.0,
        (Some(upper), _) => *upper,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &'static str, round: usize, per_second: f64, p50_ms: f64) -> Row {
        let work = Work { operation: "write", clients: 64, through: "leader" };
        let measured = Measured { operations: 10, per_second, p50_ms, ..Measured::default() };
        Row { system, work, round, measured }
    }

    #[test]
    fn medians_and_ratios_of_interleaved_rounds() {
        let rows = vec![
            row("raftsman", 1, 100.0, 9.0),
            row("etcd", 1, 40.0, 8.0),
            row("raftsman", 2, 900.0, 1.0),
            row("etcd", 2, 50.0, 6.0),
            row("raftsman", 3, 150.0, 3.0),
        ];
        let medians = medians(&rows);
        let figures: Vec<_> = medians.iter().map(|r| (r.system, r.measured.per_second, r.measured.p50_ms)).collect();
        assert_eq!(figures, [("raftsman", 150.0, 3.0), ("etcd", 45.0, 7.0)]);
        assert_eq!(medians[0].measured.operations, 30);
        let ratios = ratios(&medians);
        assert_eq!((ratios.len(), ratios[0].per_second), (1, 150.0 / 45.0));
        assert_eq!(ratios[0].p99, 0.0);
    }
}
