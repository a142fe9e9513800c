//! What a member shows at a revision is what all changes up to it make.

use super::dense_revisions::changes;
use super::{Event, Invariant, Seen};
use std::collections::BTreeMap;

/// See the module.
pub struct Views;

impl Invariant for Views {
    fn name(&self) -> &'static str {
        "a view is what the changes up to its revision make"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let mut views: Vec<_> = events
            .iter()
            .filter_map(|event| match &event.seen {
                Seen::View { member, revision, content } => Some((*revision, *member, content)),
                _ => None,
            })
            .collect();
        views.sort();
        let changes = changes(events)?;
        let mut due = changes.iter().peekable();
        let mut content = BTreeMap::new();
        for (revision, member, shown) in views {
            while let Some((_, (key, value))) = due.next_if(|(at, _)| **at <= revision) {
                match value {
                    Some(value) => drop(content.insert(key.clone(), *value)),
                    None => drop(content.remove(key)),
                }
            }
            if *shown != content {
                return Err(format!("member {member} showed {shown:?} at revision {revision}, where {content:?} is"));
            }
        }
        Ok(())
    }
}
