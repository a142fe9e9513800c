//! Outcomes of forwarded transactions, kept until their origin no longer needs them.

use crate::{Origin, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One member's newest session: what it may still ask about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The session.
    pub session: u64,
    /// Sequences below were answered.
    pub low_water: u64,
    /// Outcomes at and above the low-water mark.
    pub outcomes: BTreeMap<u64, Outcome>,
}

impl SessionRecord {
    /// The outcome to give without applying, if this origin was seen before.
    pub(crate) fn seen(&self, origin: &Origin) -> Option<Outcome> {
        if origin.session < self.session {
            return Some(Outcome::Expired);
        }
        if origin.session > self.session {
            return None;
        }
        if let Some(outcome) = self.outcomes.get(&origin.sequence) {
            return Some(outcome.clone());
        }
        (origin.sequence < self.low_water).then_some(Outcome::Expired)
    }

    /// Remembers an outcome and drops those that are no longer needed.
    pub(crate) fn record(&mut self, origin: &Origin, outcome: Outcome) {
        if origin.session > self.session {
            *self = Self { session: origin.session, ..Self::default() };
        }
        self.low_water = self.low_water.max(origin.low_water);
        self.outcomes = self.outcomes.split_off(&self.low_water);
        if origin.sequence >= self.low_water {
            self.outcomes.insert(origin.sequence, outcome);
        }
    }
}
