//! One leader per term (Raft, Election Safety).

use super::{Event, Invariant, Seen};
use std::collections::BTreeMap;

/// See the module.
pub struct OneLeaderPerTerm;

impl Invariant for OneLeaderPerTerm {
    fn name(&self) -> &'static str {
        "one leader per term"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let mut leaders = BTreeMap::new();
        for event in events {
            if let Seen::Leading { member, term } = event.seen {
                let first = *leaders.entry(term).or_insert(member);
                if first != member {
                    return Err(format!("in term {term} both {first} and {member} led"));
                }
            }
        }
        Ok(())
    }
}
