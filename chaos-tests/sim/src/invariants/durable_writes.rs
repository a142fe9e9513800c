//! No acknowledged write is lost, and each is where its client was told.

use super::dense_revisions::changes;
use super::{Event, Invariant, Seen};

/// See the module.
pub struct DurableWrites;

impl Invariant for DurableWrites {
    fn name(&self) -> &'static str {
        "no acknowledged write is lost"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let changes = changes(events)?;
        for event in events {
            let Seen::Operation(operation) = &event.seen else { continue };
            let Some(revision) = operation.revision() else { continue };
            match changes.get(&revision) {
                Some((key, value)) if (key, *value) == (&operation.key, operation.writes()) => {}
                found => {
                    return Err(format!("revision {revision} holds {found:?}; acknowledged there was {operation:?}"));
                }
            }
        }
        Ok(())
    }
}
