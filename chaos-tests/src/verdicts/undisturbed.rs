//! What runs stays where it is, and is not restarted, unless a fault on its own node excuses it.

use super::{Excuses, Verdict};
use crate::record::{PodChange, Record, Span};
use std::collections::BTreeMap;
use std::time::Duration;

/// Applications that nobody but a fault changes.
const STEADY: [&str; 5] = ["web", "member", "owner", "ask", "teller"];
/// A container that ended again and again is restarted later and later.
const BACK_OFF: Duration = Duration::from_secs(120);

/// See the module.
pub(super) struct Undisturbed;

/// What happened to a pod between two states of it, in a word.
fn happened(before: &PodChange, now: &PodChange) -> Option<&'static str> {
    if before.uid != now.uid {
        // Its end was seen before, or was not to be seen.
        (!before.gone && !before.deleting).then_some("was replaced")
    } else if now.gone || now.deleting {
        (!before.gone && !before.deleting).then_some("was taken away")
    } else {
        (now.restarts > before.restarts).then_some("was restarted")
    }
}

/// A restart may come late.
fn late(word: &str, span: &Span) -> Duration {
    if word == "was restarted" && span.kind.ends_with("container") { BACK_OFF } else { Duration::ZERO }
}

impl Verdict for Undisturbed {
    fn name(&self) -> &'static str {
        "nothing is restarted or moved without a fault that excuses it"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let mut now: BTreeMap<&str, &PodChange> = BTreeMap::new();
        let (mut excused, mut pods) = (0, 0);
        for change in record.pods.iter().filter(|pod| STEADY.contains(&pod.app.as_str())) {
            let Some(before) = now.insert(&change.name, change) else {
                pods += 1;
                continue;
            };
            let Some(word) = happened(before, change) else { continue };
            if excuses.moved(&before.node, change.at, |span| late(word, span)).is_none() {
                let (name, node, at) = (&change.name, &before.node, change.at.as_secs_f64());
                return Err(format!("{name} on {node} {word} at {at:.1} s"));
            }
            excused += 1;
        }
        Ok(format!("{pods} pods, {excused} times excused"))
    }
}
