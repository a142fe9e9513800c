//! How long things took after a fault, measured from what was seen. Verdicts judge these, and the report shows them.

use super::excuses::{Excuses, moves_pods};
use crate::record::{PodChange, Record, Span, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

/// After these the machine or the process is gone, and with it whoever could still answer at the virtual address.
const GONE: [&str; 3] = ["kill", "host-loss", "power-cut"];
/// A fault that began so short a time before, or ended, may still show.
const SETTLE: Duration = Duration::from_secs(5);
/// The whole effect of losing a leader shows within this after it was done.
const EFFECT: Duration = Duration::from_secs(1);
/// The virtual address and the connections of those who use it are looked at for so long.
const ALONE: Duration = Duration::from_secs(6);
/// That of losing a node.
const NODE_EFFECT: Duration = Duration::from_secs(15);

/// What became of something that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to wait for.
    Nothing,
    /// It did not happen.
    Never,
    /// After so long.
    After(Duration),
}

impl Outcome {
    /// The time, if there is one.
    pub fn time(self) -> Option<Duration> {
        if let Self::After(time) = self { Some(time) } else { None }
    }

    /// It is worse than that.
    pub fn exceeds(self, bound: Duration) -> bool {
        match self {
            Self::Nothing => false,
            Self::Never => true,
            Self::After(time) => time > bound,
        }
    }
}

/// Nothing else was done in that time.
fn only(record: &Record, span: &Span, from: Duration, to: Duration, counts: impl Fn(&Span) -> bool) -> bool {
    let others = record.spans.iter().filter(|other| !std::ptr::eq(*other, span) && other.skipped.is_none());
    !others.filter(|other| counts(other)).any(|other| other.begun <= to && from <= other.over().saturating_add(SETTLE))
}

/// The leader was hit by a fault that silences it at once, and nothing else was going on.
pub fn leader_alone(record: &Record, span: &Span) -> bool {
    let masters = span.touch.hosts.iter().filter(|host| host.starts_with('m')).count();
    let fits = span.leader && span.silences && span.error.is_none() && masters == 1;
    fits && only(record, span, span.begun, span.from + EFFECT * 2, |_| true)
}

/// As long as what a leader's loss costs shows, and nothing else that was done.
pub fn alone_until(record: &Record, span: &Span) -> Duration {
    let later = record.spans.iter().filter(|other| other.skipped.is_none() && other.begun > span.begun);
    let next = later.map(|other| other.begun).min().unwrap_or(Duration::MAX);
    (span.from + ALONE).min(next).min(span.until.unwrap_or(Duration::MAX))
}

/// Whoever begins later to ask at the virtual address is answered: after a leader that is gone as soon as there is another,
/// after one that still believes it leads when its address has ended in the kernel (its lifetime of 2 s, what a confirmed
/// leadership is worth, 1 s, and the kernel's own second).
pub fn address_bound(span: &Span) -> Duration {
    Duration::from_secs(if GONE.contains(&span.kind.as_str()) { 1 } else { 4 })
}

/// The last request through the virtual address that failed after a leader was hit alone: how long after that it began.
pub fn address(record: &Record, span: &Span) -> Outcome {
    let until = alone_until(record, span);
    let asked = || record.requests.iter().filter(|r| r.stream == Stream::Vip && r.at >= span.from && r.at < until);
    let failed = asked().filter(|r| r.error.is_some()).map(|r| r.at - span.from).max();
    match asked().next() {
        Some(_) => Outcome::After(failed.unwrap_or_default()),
        None => Outcome::Nothing,
    }
}

/// One node was lost for long enough, its masters being well and the other nodes, too.
pub fn node_alone<'a>(record: &Record, span: &'a Span) -> Option<&'a str> {
    let node = span.hit.iter().find(|host| host.starts_with('n'))?;
    let lost = ["host-loss", "unplug"].contains(&span.kind.as_str()) && span.hit.len() == 1 && span.error.is_none();
    let long = span.until.is_some_and(|until| until >= span.from + NODE_EFFECT);
    let disturbs = |other: &Span| other.touch.api || moves_pods(other);
    let before = span.begun.saturating_sub(NODE_EFFECT);
    let alone = only(record, span, before, span.from + NODE_EFFECT, disturbs);
    (lost && long && alone).then_some(node.as_str())
}

/// The longest time without an acknowledged write around the beginning of a fault.
pub fn outage(record: &Record, span: &Span) -> Outcome {
    let mut acknowledged: Vec<Duration> = record
        .requests
        .iter()
        .filter(|request| request.stream == Stream::Write && request.error.is_none())
        .map(crate::record::Request::ended)
        .filter(|at| *at >= span.begun)
        .collect();
    acknowledged.sort_unstable();
    let (mut last, mut longest) = (span.begun, None);
    for at in acknowledged {
        if last > span.from + EFFECT {
            break;
        }
        longest = longest.max(Some(at - last));
        last = at;
    }
    match longest {
        Some(time) if last > span.from => Outcome::After(time),
        _ => Outcome::Never,
    }
}

/// All pods of an application that had to go are replaced: the first moment after which so many are ready as before.
pub fn replaced(record: &Record, app: &str, node: &str, span: &Span) -> Outcome {
    let mut now: BTreeMap<&str, &PodChange> = BTreeMap::new();
    // What there was when it began, once that is known.
    let mut before: Option<(usize, bool)> = None;
    let mut missing = false;
    let elsewhere = |now: &BTreeMap<&str, &PodChange>| {
        now.values().filter(|pod| pod.ready && !pod.deleting && pod.node != node).count()
    };
    for change in record.pods.iter().filter(|pod| pod.app == app) {
        if change.at >= span.begun && before.is_none() {
            let had = |pod: &&PodChange| pod.ready && !pod.deleting;
            before = Some((
                now.values().copied().filter(had).count(),
                now.values().copied().filter(had).any(|pod| pod.node == node),
            ));
        }
        match change.gone {
            true => drop(now.remove(change.name.as_str())),
            false => drop(now.insert(&change.name, change)),
        }
        if let Some((before, true)) = before {
            let count = elsewhere(&now);
            missing |= count < before;
            if missing && count >= before {
                return Outcome::After(change.at - span.begun);
            }
        }
    }
    match before {
        Some((_, true)) => Outcome::Never,
        // It had none, or nothing was heard of any after that.
        Some((_, false)) => Outcome::Nothing,
        None if now.values().any(|pod| pod.ready && pod.node == node) => Outcome::Never,
        None => Outcome::Nothing,
    }
}

/// The last request through another node that failed because of it: when that began.
pub fn last_failure(record: &Record, span: &Span) -> Outcome {
    let until = span.until.unwrap_or(Duration::MAX);
    let failed = record.requests.iter().filter(|r| !r.stream.is_api() && r.error.is_some());
    let elsewhere = failed.filter(|r| !span.touch.hosts.contains(&r.through));
    let last = elsewhere.filter(|r| r.at >= span.begun && r.at < until).map(|r| r.at - span.begun).max();
    last.map_or(Outcome::Nothing, Outcome::After)
}

/// Until a pod that was asked for when the leader was hit had a node.
pub fn at_work(record: &Record, number: usize, span: &Span) -> Outcome {
    let Some(beat) = record.beats.iter().find(|beat| beat.fault == number) else { return Outcome::Nothing };
    beat.bound.map_or(Outcome::Never, |bound| Outcome::After(bound.saturating_sub(span.from)))
}

/// The longest time in which nobody was answered, and nothing excuses it: from when, and how long.
pub fn unexcused_gap(
    excuses: &Excuses<'_>,
    answered: &[(Duration, Duration)],
    excused: impl Fn(&Excuses<'_>, Duration) -> bool,
    end: Duration,
) -> (Duration, Duration) {
    const STEP: Duration = Duration::from_millis(250);
    let mut longest = (Duration::ZERO, Duration::ZERO);
    let mut last = answered.first().map_or(end, |first| first.0);
    let ends = answered.iter().map(|(_, ended)| *ended).filter(|ended| *ended < end).chain([end]);
    for ended in ends {
        // Short ones need no look at the faults.
        if ended.saturating_sub(last) > longest.1 {
            let (mut at, mut from) = (last, last);
            while at < ended {
                at = (at + STEP).min(ended);
                if excused(excuses, at) {
                    from = at;
                } else if at - from > longest.1 {
                    longest = (from, at - from);
                }
            }
        }
        last = last.max(ended);
    }
    longest
}
