//! How long it took until things were well again after each fault of a kind.

use crate::record::{PodChange, Record, Span, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

/// Times of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// From what to what.
    pub what: String,
    /// In order of length.
    pub times: Vec<Duration>,
}

impl Recovery {
    /// The time below which so many of a hundred are.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent).div_ceil(100).max(1) - 1;
        self.times.get(rank).copied().unwrap_or_default()
    }
}

/// The first write that was begun after a moment and acknowledged: how long after that moment.
fn next_write(record: &Record, moment: Duration) -> Option<Duration> {
    let good = record.requests.iter().filter(|r| r.stream == Stream::Write && r.error.is_none() && r.at >= moment);
    good.map(|request| request.ended() - moment).min()
}

/// All pods of an application that had to go are replaced: the first moment after which so many are ready as before.
fn replaced(record: &Record, app: &str, node: &str, span: &Span) -> Option<Duration> {
    let mut now: BTreeMap<&str, &PodChange> = BTreeMap::new();
    // What there was when it began, once that is known.
    let mut before: Option<(usize, bool)> = None;
    let mut missing = false;
    for change in record.pods.iter().filter(|pod| pod.app == app) {
        let ready = |now: &BTreeMap<&str, &PodChange>| now.values().filter(|pod| pod.ready && !pod.deleting).count();
        if change.at >= span.begun && before.is_none() {
            before = Some((ready(&now), now.values().any(|pod| pod.node == node && pod.ready)));
        }
        match change.gone {
            true => drop(now.remove(change.name.as_str())),
            false => drop(now.insert(&change.name, change)),
        }
        if let Some((before, true)) = before {
            let count = ready(&now);
            missing |= count < before;
            if missing && count >= before {
                return Some(change.at - span.begun);
            }
        }
    }
    None
}

/// The last request through another node that failed because of it.
fn last_failure(record: &Record, span: &Span) -> Option<Duration> {
    let until = span.until.unwrap_or(Duration::MAX);
    let failed = record.requests.iter().filter(|r| !r.stream.is_api() && r.error.is_some());
    let elsewhere = failed.filter(|r| !span.touch.hosts.contains(&r.through));
    elsewhere.filter(|r| r.ended() >= span.begun && r.at < until).map(|r| r.ended() - span.begun).max()
}

/// All kinds that happened.
pub fn recoveries(record: &Record) -> Vec<Recovery> {
    let mut series: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    let mut add = |what: String, time: Option<Duration>| {
        if let Some(time) = time {
            series.entry(what).or_default().push(time);
        }
    };
    for span in record.spans.iter().filter(|span| span.until.is_some()) {
        let node = span.touch.hosts.iter().find(|host| host.starts_with('n'));
        if span.leader {
            add(format!("leader hit ({}) to the next acknowledged write", span.kind), next_write(record, span.begun));
        } else if span.touch.api && span.kind == "power-cut" {
            let healed = span.until.and_then(|until| next_write(record, until));
            add("power back to the next acknowledged write".to_owned(), healed);
        }
        if let (Some(node), "host-loss" | "unplug") = (node, span.kind.as_str()) {
            add("node lost to its web pods replaced and ready".to_owned(), replaced(record, "web", node, span));
            add("node lost to the last failed request through another node".to_owned(), last_failure(record, span));
        }
    }
    for service in &record.service {
        add("last fault healed to full service, each thing".to_owned(), service.after);
    }
    let sorted = |(what, mut times): (String, Vec<Duration>)| {
        times.sort_unstable();
        Recovery { what, times }
    };
    series.into_iter().map(sorted).collect()
}
