//! Members' sessions as the database is to hold them.

use crate::disk::record::AppliedEntry;
use raftsman_state::{SessionRecord, State};
use std::collections::{BTreeMap, BTreeSet};

/// Follows the state's own sessions from entry to entry, beside the thread that applies them. One record a member, written
/// over and over, needs no tombstones, whatever the number of outcomes that come and go.
pub(crate) struct Sessions {
    held: BTreeMap<u64, SessionRecord>,
    /// Members whose record is not in the database as it is here.
    touched: BTreeSet<u64>,
}

impl Sessions {
    /// The sessions of a state that was loaded.
    pub(crate) fn of(state: &State) -> Self {
        Self { held: state.sessions().clone(), touched: BTreeSet::new() }
    }

    /// Takes in the next entry's outcome.
    pub(crate) fn follow(&mut self, entry: &AppliedEntry) {
        if entry.applied.sessions_ended {
            self.held.clear();
            self.touched.clear();
        }
        if let (Some(origin), Some(outcome)) = (&entry.origin, &entry.applied.outcome) {
            self.held.entry(origin.member).or_default().follow(origin, outcome.clone());
            self.touched.insert(origin.member);
        }
    }

    /// The records to write, which then count as written.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (u64, &SessionRecord)> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().filter_map(|member| self.held.get(&member).map(|record| (member, record)))
    }
}
