//! What was promised of the time after a fault, where that fault was alone.

use super::Verdict;
use super::times::{
    Outcome, address, address_bound, at_work, last_failure, leader_alone, node_alone, outage, replaced,
};
use crate::record::{Record, Span};
use std::time::Duration;

/// A leader is hit: the longest time without an acknowledged write.
const NEXT_WRITE: Duration = Duration::from_secs(1);
/// A leader is hit: something new was asked for, made by a controller and given a node by the scheduler.
const AT_WORK: Duration = Duration::from_secs(1);
/// A node is lost: its pods run elsewhere and are in no Service any more.
const NODE: Duration = Duration::from_secs(10);

/// Writes go on.
pub(super) struct NextWrite;
/// Scheduler and controllers are at work again.
pub(super) struct AtWork;
/// The virtual address moves.
pub(super) struct Address;
/// Pods of lost nodes are replaced.
pub(super) struct Replaced;

/// The worst of them is within the bound.
fn within<'a>(all: impl Iterator<Item = (&'a Span, Outcome)>, bound: Duration, what: &str) -> Result<String, String> {
    let (mut count, mut worst) = (0, Duration::ZERO);
    for (span, outcome) in all {
        if outcome.exceeds(bound) {
            let took = outcome.time().map_or("never".to_owned(), |time| format!("after {:.2} s", time.as_secs_f64()));
            return Err(format!("{}, {:.1} s: {what} {took}", span.what, span.begun.as_secs_f64()));
        }
        count += usize::from(outcome != Outcome::Nothing);
        worst = worst.max(outcome.time().unwrap_or_default());
    }
    Ok(format!("{count} times, the worst {:.2} s", worst.as_secs_f64()))
}

pub(super) fn hits(record: &Record) -> impl Iterator<Item = (usize, &Span)> {
    record.spans.iter().enumerate().filter(|(_, span)| span.skipped.is_none() && leader_alone(record, span))
}

impl Verdict for NextWrite {
    fn name(&self) -> &'static str {
        "a leader that is hit alone stops writes for a second at most"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        within(hits(record).map(|(_, span)| (span, outage(record, span))), NEXT_WRITE, "the next acknowledged write")
    }
}

impl Verdict for AtWork {
    fn name(&self) -> &'static str {
        "scheduler and controllers are at work again a second after a leader is hit alone"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        within(hits(record).map(|(at, span)| (span, at_work(record, at, span))), AT_WORK, "a new pod has a node")
    }
}

impl Verdict for Address {
    fn name(&self) -> &'static str {
        "the virtual address answers 1 s after a leader that is gone, 4 s after one that is stopped or cut off"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let of = |gone: bool| {
            let bound = Duration::from_secs(if gone { 1 } else { 4 });
            let hits = hits(record).map(|(_, span)| span).filter(move |span| address_bound(span) == bound);
            within(hits.map(|span| (span, address(record, span))), bound, "a request by it still failed")
        };
        Ok(format!("gone: {}; stopped or cut off: {}", of(true)?, of(false)?))
    }
}

impl Verdict for Replaced {
    fn name(&self) -> &'static str {
        "a node lost alone is replaced and out of every service within 10 s"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let lost = || record.spans.iter().filter_map(|span| Some((span, node_alone(record, span)?)));
        let pods = lost().map(|(span, node)| (span, replaced(record, "web", node, span)));
        let pods = within(pods, NODE, "its pods were replaced")?;
        let failed = lost().map(|(span, _)| (span, last_failure(record, span)));
        let failed = within(failed, NODE, "the last request through another node failed")?;
        Ok(format!("pods: {pods}; failed requests: {failed}"))
    }
}
