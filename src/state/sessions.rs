//! Outcomes of forwarded transactions, kept until their origin no longer needs them.

use crate::{Origin, Outcome};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::fmt;

/// One member's newest session: what it may still ask about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The session.
    pub session: u64,
    /// Sequences below were answered.
    pub low_water: u64,
    /// Outcomes at and above the low-water mark.
    outcomes: Outcomes,
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
        if let Some(outcome) = self.outcomes.get(origin.sequence) {
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
        self.outcomes.drop_below(self.low_water);
        if origin.sequence >= self.low_water {
            self.outcomes.insert(origin.sequence, outcome);
        }
    }

    /// Takes in what [`crate::State::apply`] gave for this origin, so that this record stays the same as the state's own.
    pub fn follow(&mut self, origin: &Origin, outcome: Outcome) {
        if self.seen(origin).is_none() {
            self.record(origin, outcome);
        }
    }
}

/// Outcomes by ascending sequence: they come nearly in this order, and go from the front. Stored as a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcomes(VecDeque<(u64, Outcome)>);

impl Outcomes {
    fn at(&self, sequence: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&sequence, |(held, _)| *held)
    }

    fn get(&self, sequence: u64) -> Option<&Outcome> {
        self.0.get(self.at(sequence).ok()?).map(|(_, outcome)| outcome)
    }

    fn insert(&mut self, sequence: u64, outcome: Outcome) {
        if self.0.back().is_none_or(|(last, _)| *last < sequence) {
            self.0.push_back((sequence, outcome));
            return;
        }
        match self.at(sequence) {
            Ok(at) => self.0[at].1 = outcome,
            Err(at) => self.0.insert(at, (sequence, outcome)),
        }
    }

    fn drop_below(&mut self, sequence: u64) {
        while self.0.front().is_some_and(|(first, _)| *first < sequence) {
            self.0.pop_front();
        }
    }
}

impl Serialize for Outcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(sequence, outcome)| (sequence, outcome)))
    }
}

impl<'de> Deserialize<'de> for Outcomes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutcomesVisitor)
    }
}

struct OutcomesVisitor;

impl<'de> Visitor<'de> for OutcomesVisitor {
    type Value = Outcomes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outcomes by sequence")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcomes, A::Error> {
        let mut outcomes = Outcomes::default();
        while let Some((sequence, outcome)) = map.next_entry()? {
            outcomes.insert(sequence, outcome);
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// The record of a map, whatever the order in which sequences come.
        #[test]
        fn outcomes_are_kept_as_in_a_map(steps in prop::collection::vec((0..4u64, 0..40u64, 0..30u64), 0..80)) {
            let mut record = SessionRecord::default();
            let (mut session, mut low, mut map) = (0, 0, BTreeMap::new());
            for (n, (of, sequence, low_water)) in steps.into_iter().enumerate() {
                let origin = Origin { member: 1, session: of, sequence, low_water };
                let outcome = Outcome::Committed(vec![n as u64]);
                let expected = match of.cmp(&session) {
                    std::cmp::Ordering::Less => Some(Outcome::Expired),
                    std::cmp::Ordering::Greater => None,
                    std::cmp::Ordering::Equal => {
                        let held = map.get(&sequence).cloned();
                        held.or((sequence < low).then_some(Outcome::Expired))
                    }
                };
                prop_assert_eq!(record.seen(&origin), expected.clone());
                record.follow(&origin, outcome.clone());
                if expected.is_none() {
                    if of > session {
                        (session, low) = (of, 0);
                        map.clear();
                    }
                    low = low.max(low_water);
                    map = map.split_off(&low);
                    if sequence >= low {
                        map.insert(sequence, outcome);
                    }
                }
                prop_assert_eq!((record.session, record.low_water), (session, low));
                prop_assert!(record.outcomes.0.iter().map(|(s, o)| (s, o)).eq(map.iter()));
            }
        }
    }
}
