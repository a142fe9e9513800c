//! No identity stays stuck on a node that is away: its members write elsewhere before that comes back.

use super::excuses::moves_pods;
use super::{Excuses, Verdict};
use crate::record::{Line, Record, Span};
use std::time::Duration;

/// The fencing deadline and the leader's wait beyond it (33.6 s) and the start of another one, on a machine that has too
/// much to do.
const WITHIN: Duration = Duration::from_secs(45);
/// A member's last line is that old at most, while it runs.
const LATELY: Duration = Duration::from_secs(3);
/// Nothing else may have happened so short a time before.
const SETTLE: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct GivenAway;

/// One node was away, others were there.
fn away(record: &Record, span: &Span) -> bool {
    let nodes = span.hit.iter().filter(|host| host.starts_with('n')).count();
    let other = |other: &&Span| !std::ptr::eq(*other, span) && other.skipped.is_none() && moves_pods(other);
    let meanwhile = |other: &Span| other.begun <= span.over() && span.begun <= other.over().saturating_add(SETTLE);
    let whole = span.kind != "loss" && span.kind != "duplicate" && span.kind != "delay" && span.kind != "slow-link";
    let masters = span.hit.iter().any(|host| host.starts_with('m'));
    let fits = span.skipped.is_none() && span.error.is_none() && nodes == 1 && !masters && moves_pods(span);
    // A container that is stopped takes no node away, and one that has next to no processor time still says something.
    let silent = whole && !span.touch.slow && !span.touch.hosts.is_empty();
    fits && silent && !record.spans.iter().filter(other).any(meanwhile)
}

/// From when on the masters were left alone: each new leader waits anew.
fn counts_from(record: &Record, span: &Span) -> Duration {
    let disturbs = |other: &&Span| !std::ptr::eq(*other, span) && other.skipped.is_none() && other.touch.api;
    let until = span.until.unwrap_or(Duration::MAX);
    let during = |at: &Duration| *at > span.from && *at < until;
    let ends = record.spans.iter().filter(disturbs).map(|other| other.over().saturating_add(Duration::from_secs(5)));
    let reigns = super::reigns::reigns(record, Duration::MAX).into_iter().map(|reign| reign.from);
    ends.chain(reigns).filter(during).max().unwrap_or(span.from)
}

/// It wrote on this node when the node went away.
fn was_there(lines: &[Line], node: &str, at: Duration) -> bool {
    let last = lines.iter().rfind(|line| line.at <= at);
    last.is_some_and(|line| line.node == node && line.at + LATELY >= at)
}

impl Verdict for GivenAway {
    fn name(&self) -> &'static str {
        "no identity stays on a node that is away"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let healed = record.healed.unwrap_or(Duration::MAX);
        let (mut holds, mut given) = (0, Vec::new());
        for span in record.spans.iter().filter(|span| away(record, span)) {
            let (from, until) = (counts_from(record, span), span.until.unwrap_or(healed));
            if until.saturating_sub(from) < WITHIN || Excuses::of(record).without_majority(from, from).is_some() {
                continue;
            }
            holds += 1;
            for node in span.hit.iter().filter(|host| host.starts_with('n')) {
                // Whom its volume holds there can run nowhere else.
                let free = record.diaries.iter().filter(|(name, _)| !record.tied.contains(*name));
                for (name, lines) in free.filter(|(_, lines)| was_there(lines, node, span.begun)) {
                    let other = lines.iter().find(|line| line.at > span.begun && line.node != *node);
                    match other.filter(|line| line.at <= from + WITHIN) {
                        Some(line) => given.push(line.at.saturating_sub(from)),
                        None => {
                            let (what, from) = (&span.what, span.begun.as_secs_f64());
                            return Err(format!(
                                "{name} did not write elsewhere within {} s: {what}, {from:.1} s",
                                WITHIN.as_secs()
                            ));
                        }
                    }
                }
            }
        }
        let worst = given.iter().max().copied().unwrap_or_default();
        Ok(format!(
            "{holds} nodes away long enough, {} given away, the last after {:.1} s",
            given.len(),
            worst.as_secs_f64()
        ))
    }
}
