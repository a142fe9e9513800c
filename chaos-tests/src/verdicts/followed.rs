//! Commands of our CLI that go on and on tell everything once and in order, whatever happens to masters.

use super::excuses::breaks_disk;
use super::{Excuses, Verdict};
use crate::invariants::Seen;
use crate::record::{Followed, Record, Request, Stream, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
pub(super) struct OnAndOn;

type Changes<'a> = BTreeMap<u64, (&'a str, Option<u64>)>;

/// What is wrong with what one told. `torn`: its host's disk was broken, and of what was not synced there may be no more than
/// zeroes.
fn wrong(told: &[Told], torn: bool, changes: &Changes<'_>, order: &BTreeSet<u64>) -> Option<String> {
    let mut last: Option<u64> = None;
    let mut lives: BTreeMap<&str, u64> = BTreeMap::new();
    for one in told {
        match one {
            Told::Odd(line) if torn && line.contains('\0') => {}
            Told::Odd(line) => return Some(format!("said {line:?}")),
            Told::Change { revision, key, value } => {
                if changes.get(revision) != Some(&(key.as_str(), Some(*value))) {
                    return Some(format!("told of {key} = {value} at {revision}, which nobody else saw"));
                }
                let next = last.and_then(|last| order.range(last + 1..).next());
                if last.is_some() && next != Some(revision) {
                    return Some(format!("told of {revision} after {last:?}, and next was {next:?}"));
                }
                last = Some(*revision);
            }
            Told::Line { life, number } => {
                let before = lives.insert(life, *number);
                if let Some(before) = before.filter(|before| before + 1 != *number) {
                    return Some(format!("line {number} came after {before}"));
                }
            }
        }
    }
    None
}

/// Something excuses that it ended.
fn excused(excuses: &Excuses<'_>, one: &Followed, at: Duration) -> bool {
    if excuses.without_majority(at.saturating_sub(Duration::from_secs(30)), at).is_some() {
        return true;
    }
    let on_host = |stream| {
        let error = Some(String::new());
        let (through, took) = (one.host.clone(), Duration::ZERO);
        let request = Request { stream, through, keeps: None, at, took, error };
        excuses.excuse(&request).is_some()
    };
    // A container's end is the end of its log; a node's agent is asked for it.
    !one.host.is_empty() && (on_host(Stream::Dns) || excuses.moved(&one.host, at, |_| Duration::ZERO).is_some())
}

impl Verdict for OnAndOn {
    fn name(&self) -> &'static str {
        "get -w and logs -f of our CLI go on, and tell everything once and in order"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let seen = record.events.iter().filter_map(|event| match &event.seen {
            Seen::Change { revision, key, value, .. } => Some((*revision, (key.as_str(), *value))),
            _ => None,
        });
        let changes: Changes<'_> = seen.collect();
        let order: BTreeSet<u64> = changes.keys().copied().collect();
        let (mut told, mut ends) = (0, 0);
        for one in &record.followed {
            let torn = record.spans.iter().any(|span| breaks_disk(span, &one.host));
            if let Some(why) = wrong(&one.told, torn, &changes, &order) {
                return Err(format!("{} {why}", one.what));
            }
            told += one.told.len();
            match &one.ended {
                Some((at, why)) if !excused(&excuses, one, *at) => {
                    return Err(format!("{} ended at {:.1} s: {why}", one.what, at.as_secs_f64()));
                }
                Some(_) => ends += 1,
                None => {
                    let last = one.told.iter().rev().find_map(|told| match told {
                        Told::Change { revision, .. } => Some(*revision),
                        _ => None,
                    });
                    if let Some(last) = last.filter(|last| Some(last) != order.last()) {
                        return Err(format!("{} ended with {last}, and the last was {:?}", one.what, order.last()));
                    }
                }
            }
        }
        match record.followed.is_empty() {
            true => Err("nothing was followed".to_owned()),
            false => Ok(format!("{told} lines, {ends} excused ends")),
        }
    }
}
