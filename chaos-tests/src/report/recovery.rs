//! How long it took until things were well again after each fault of a kind.

use crate::record::{Record, Span, Stream};
use crate::verdicts::times;
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

/// All kinds that happened.
pub fn recoveries(record: &Record) -> Vec<Recovery> {
    let mut series: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    let mut add = |what: String, time: Option<Duration>| {
        if let Some(time) = time {
            series.entry(what).or_default().push(time);
        }
    };
    let done = |span: &&Span| span.until.is_some() && span.skipped.is_none();
    for (number, span) in record.spans.iter().enumerate().filter(|(_, span)| done(span)) {
        let node = span.touch.hosts.iter().find(|host| host.starts_with('n'));
        if span.leader {
            let alone = if times::leader_alone(record, span) { ", alone" } else { "" };
            let hit = format!("leader hit ({}{alone})", span.kind);
            add(format!("{hit} to the next acknowledged write"), times::outage(record, span).time());
            add(format!("{hit} to a new pod created and bound"), times::at_work(record, number, span).time());
            if !alone.is_empty() {
                let failed = times::address(record, span).time();
                add(format!("{hit} to the last request by virtual address that failed"), failed);
            }
        } else if span.touch.api && span.kind == "power-cut" {
            let healed = span.until.and_then(|until| next_write(record, until));
            add("power back to the next acknowledged write".to_owned(), healed);
        }
        if let (Some(node), "host-loss" | "unplug") = (node, span.kind.as_str()) {
            let alone = if times::node_alone(record, span).is_some() { " alone" } else { "" };
            let replaced = times::replaced(record, "web", node, span).time();
            add(format!("node lost{alone} to its web pods replaced and ready"), replaced);
            let failed = times::last_failure(record, span).time();
            add(format!("node lost{alone} to the last failed request through another node"), failed);
        }
        let at_work = span.until.and_then(|until| Some(span.ready?.saturating_sub(until)));
        if !span.touch.hosts.is_empty() {
            let who = if span.touch.hosts.iter().all(|host| host.starts_with('m')) { "master" } else { "host" };
            add(format!("fault healed to its {who} at work"), at_work);
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
