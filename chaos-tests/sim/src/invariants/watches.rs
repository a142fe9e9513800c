//! Watchers see every change once and in order, also when they move between members.

use super::dense_revisions::changes;
use super::{Event, Invariant, Seen};
use std::collections::BTreeMap;

/// See the module.
pub struct Watches;

impl Invariant for Watches {
    fn name(&self) -> &'static str {
        "watchers see every change once and in order"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let changes = changes(events)?;
        let mut reached = BTreeMap::new();
        for event in events {
            match &event.seen {
                Seen::Watching { watcher, after } => drop(reached.insert(*watcher, *after)),
                Seen::Watched { watcher, member, revision, key, value } => {
                    let Some(last) = reached.insert(*watcher, *revision) else {
                        return Err(format!("watcher {watcher} was told of revision {revision} before it began"));
                    };
                    if *revision != last + 1 {
                        return Err(format!("watcher {watcher} was told of {revision} after {last}, by {member}"));
                    }
                    if changes.get(revision) != Some(&(key.clone(), *value)) {
                        let held = changes.get(revision);
                        return Err(format!("watcher {watcher} saw {key} = {value:?} at {revision}: it was {held:?}"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
