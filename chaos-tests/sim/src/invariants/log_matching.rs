//! Committed entries are the same in all logs (Raft, Log Matching and State Machine Safety).

use super::{Event, Invariant, Seen};
use std::collections::BTreeMap;

/// See the module.
pub struct LogMatching;

impl Invariant for LogMatching {
    fn name(&self) -> &'static str {
        "committed log entries are the same everywhere"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let mut entries = BTreeMap::new();
        for event in events {
            if let Seen::Entry { member, index, term, digest } = event.seen {
                let (first, known) = *entries.entry(index).or_insert((member, (term, digest)));
                if known != (term, digest) {
                    return Err(format!(
                        "entry {index} is of term {} in the log of {first} and of term {term} in that of {member}{}",
                        known.0,
                        if known.0 == term { ", with other content" } else { "" }
                    ));
                }
            }
        }
        let mut last = (0, 0);
        for (index, (_, (term, _))) in entries {
            if term < last.1 {
                return Err(format!("entry {index} is of term {term}, after entry {} of term {}", last.0, last.1));
            }
            last = (index, term);
        }
        Ok(())
    }
}
