//! No write is applied twice.

use super::dense_revisions::changes;
use super::{Event, Invariant};
use std::collections::BTreeMap;

/// See the module.
pub struct AppliedOnce;

impl Invariant for AppliedOnce {
    fn name(&self) -> &'static str {
        "no write is applied twice"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let mut applied = BTreeMap::new();
        for (revision, (key, value)) in changes(events)? {
            let Some(value) = value else { continue };
            if let Some(first) = applied.insert(value, revision) {
                return Err(format!("value {value} was written to {key} at revision {first} and again at {revision}"));
            }
        }
        Ok(())
    }
}
