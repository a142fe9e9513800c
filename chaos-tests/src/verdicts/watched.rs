//! Every watcher has heard of everything by the end, and every master shows the same.

use super::Verdict;
use super::ranks::ranked;
use crate::invariants::Seen;
use crate::record::Record;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Watched;

impl Verdict for Watched {
    fn name(&self) -> &'static str {
        "every watcher has heard of the last change"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let mut reached: BTreeMap<u64, u64> = BTreeMap::new();
        let mut last = 0;
        for event in ranked(&record.events) {
            match event.seen {
                Seen::Watching { watcher, after } => drop(reached.insert(watcher, after)),
                Seen::Watched { watcher, revision, .. } => drop(reached.insert(watcher, revision)),
                Seen::Change { revision, .. } => last = last.max(revision),
                _ => {}
            }
        }
        match reached.iter().find(|(_, at)| **at != last) {
            Some((watcher, at)) => Err(format!("watcher {watcher} has heard of {at} changes of {last}")),
            None => Ok(format!("{} watchers, {last} changes each", reached.len())),
        }
    }
}
