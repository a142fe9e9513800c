//! Revisions are counted without holes, and mean the same change on every member.

use super::events::Value;
use super::{Event, Invariant, Seen};
use std::collections::BTreeMap;

/// See the module.
pub struct DenseRevisions;

/// The changes that any member showed, by revision.
pub(super) fn changes(events: &[Event]) -> Result<BTreeMap<u64, (String, Option<Value>)>, String> {
    let mut changes: BTreeMap<u64, (u64, String, Option<Value>)> = BTreeMap::new();
    for event in events {
        if let Seen::Change { member, revision, key, value } = &event.seen {
            let (first, known, held) = changes.entry(*revision).or_insert_with(|| (*member, key.clone(), *value));
            if (&*known, &*held) != (key, value) {
                return Err(format!(
                    "revision {revision} set {known} to {held:?} on {first} and {key} to {value:?} on {member}"
                ));
            }
        }
    }
    Ok(changes.into_iter().map(|(revision, (_, key, value))| (revision, (key, value))).collect())
}

impl Invariant for DenseRevisions {
    fn name(&self) -> &'static str {
        "revisions are dense and equal on all members"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let changes = changes(events)?;
        let revisions: Vec<u64> = changes.into_keys().collect();
        match revisions.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
            Some(pair) => Err(format!("after revision {} came {}", pair[0], pair[1])),
            None => Ok(()),
        }
    }
}
