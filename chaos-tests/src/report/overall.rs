//! Many runs in one table.

use super::Recovery;
use super::html::time;
use super::kept::Run;
use std::collections::BTreeMap;
use std::time::Duration;

fn scenarios(runs: &[Run]) -> Vec<String> {
    let mut all: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        all.entry(&run.scenario).or_default().push(run);
    }
    let row = |(scenario, runs): (&str, Vec<&Run>)| {
        let minutes: f64 = runs.iter().map(|run| run.minutes).sum();
        let faults: usize = runs.iter().map(|run| run.faults).sum();
        let broken: Vec<String> = runs
            .iter()
            .flat_map(|run| run.verdicts.iter().filter(|one| !one.holds).map(move |one| (run, one)))
            .map(|(run, one)| {
                let seed = run.seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
                format!("BROKEN{seed} {}: {}", one.name, one.basis.lines().next().unwrap_or_default())
            })
            .collect();
        let verdict = match broken.is_empty() {
            true => format!("all {} hold", runs.iter().map(|run| run.verdicts.len()).max().unwrap_or(0)),
            false => broken.join("\n    "),
        };
        format!("{scenario:<14} {:>5} {minutes:>8.1} {faults:>7}  {verdict}", runs.len())
    };
    all.into_iter().map(row).collect()
}

/// All times of each kind.
fn recoveries(runs: &[Run]) -> Vec<Recovery> {
    let mut all: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for one in runs.iter().flat_map(|run| &run.recoveries) {
        all.entry(&one.what).or_default().extend(one.micros.iter().map(|micros| Duration::from_micros(*micros)));
    }
    let sorted = |(what, mut times): (&str, Vec<Duration>)| {
        times.sort_unstable();
        Recovery { what: what.to_owned(), times }
    };
    all.into_iter().map(sorted).collect()
}

/// For a terminal.
pub fn overall(runs: &[Run]) -> String {
    let mut lines = vec![format!("{:<14} {:>5} {:>8} {:>7}  verdicts", "scenario", "runs", "minutes", "faults")];
    lines.extend(scenarios(runs));
    let minutes: f64 = runs.iter().map(|run| run.minutes).sum();
    let good = runs.iter().filter(|run| run.passed()).count();
    let sum = |count: fn(&Run) -> usize| runs.iter().map(count).sum::<usize>();
    lines.push(format!("{good} of {} runs hold, {minutes:.1} minutes, {} faults", runs.len(), sum(|run| run.faults)));
    lines.push(format!(
        "{} leaders hit, {} of them killed; {} nodes lost",
        sum(|run| run.leader_hits),
        sum(|run| run.leader_kills),
        sum(|run| run.node_losses)
    ));
    lines.push(String::new());
    let row = |what: &str, cells: [String; 4]| {
        format!("{what:<84} {:>6} {:>9} {:>9} {:>9}", cells[0], cells[1], cells[2], cells[3])
    };
    lines.push(row("recovery", ["times", "p50", "p99", "worst"].map(str::to_owned)));
    for one in recoveries(runs) {
        let [p50, p99, worst] = [50, 99, 100].map(|percent| time(one.percentile(percent)));
        lines.push(row(&one.what, [one.times.len().to_string(), p50, p99, worst]));
    }
    lines.push(String::new());
    lines.push(row("requests", ["all", "excused", "failed", ""].map(str::to_owned)));
    let mut requests: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for one in runs.iter().flat_map(|run| &run.requests) {
        let sum = requests.entry(&one.stream).or_default();
        *sum = (sum.0 + one.all, sum.1 + one.excused, sum.2 + one.failed);
    }
    for (stream, (all, excused, failed)) in requests {
        lines.push(row(stream, [all.to_string(), excused.to_string(), failed.to_string(), String::new()]));
    }
    lines.join("\n")
}
