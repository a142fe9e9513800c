//! Every key behaves as if each operation took effect at one moment between its question and its answer (Herlihy, Wing 1990).

use super::dense_revisions::changes;
use super::wgl::{self, Call};
use super::{Action, Event, Invariant, Operation, Seen};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub struct Linearizable;

impl Invariant for Linearizable {
    fn name(&self) -> &'static str {
        "operations on a key are linearizable"
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        // Unanswered writes that no member ever showed did not happen; where changes are recorded this spares the search.
        let happened = changes(events)?;
        let values: BTreeSet<u64> = happened.values().filter_map(|(_, value)| *value).collect();
        let idle = |operation: &Operation| {
            operation.returned.is_none()
                && !happened.is_empty()
                && operation.writes().is_some_and(|value| !values.contains(&value))
        };
        let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
        for event in events {
            if let Seen::Operation(operation) = &event.seen
                && !idle(operation)
            {
                keys.entry(&operation.key).or_default().push(operation);
            }
        }
        for (key, operations) in keys {
            let calls = operations.iter().map(|operation| call(operation)).collect::<Vec<_>>();
            if let Err(stuck) = wgl::check(&calls) {
                let near: Vec<String> =
                    stuck.iter().filter_map(|at| operations.get(*at)).map(|o| format!("{o:?}")).collect();
                return Err(format!("{key}: no order fits; none of these can come next:\n    {}", near.join("\n    ")));
            }
        }
        Ok(())
    }
}

fn call(operation: &Operation) -> Call {
    let effect = match operation.action {
        Action::Put { value, .. } => wgl::Effect::Put(value),
        Action::Swap { expected, value, revision } => {
            wgl::Effect::Swap { expected, value, done: revision.get().map(|revision| revision.is_some()) }
        }
        Action::Read { found } => wgl::Effect::Read(found),
    };
    Call { invoked: operation.invoked, returned: operation.returned, effect }
}
