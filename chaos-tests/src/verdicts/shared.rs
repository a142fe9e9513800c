//! The invariants that the simulation of the store has, too.

use super::Judged;
use super::ranks::ranked;
use crate::invariants::{Seen, all};
use crate::record::Record;

/// They need what only a simulation sees: every entry of every log, every revision of the cluster.
const ELSEWHERE: [&str; 1] = ["committed log entries are the same everywhere"];

/// Of ranks it says nothing that they are dense; what is left of it is named for that.
const RENAMED: (&str, &str) =
    ("revisions are dense and equal on all members", "a revision is the same change at every member");

/// Judges them.
pub(super) fn judge(record: &Record) -> Vec<Judged> {
    let events = ranked(&record.events);
    let count = |of: fn(&Seen) -> bool| events.iter().filter(|event| of(&event.seen)).count();
    let operations = count(|seen| matches!(seen, Seen::Operation(_)));
    let told = count(|seen| matches!(seen, Seen::Watched { .. }));
    let basis = |name: &str| match name {
        "one leader per term" => format!("{} leaderships", count(|seen| matches!(seen, Seen::Leading { .. }))),
        "a view is what the changes up to its revision make" => {
            format!("{} views at the end", count(|seen| matches!(seen, Seen::View { .. })))
        }
        "watchers see every change once and in order" => format!("{told} changes told"),
        name if name == RENAMED.0 => format!("{told} changes told"),
        _ => format!("{operations} operations"),
    };
    let fit = all().into_iter().filter(|invariant| !ELSEWHERE.contains(&invariant.name()));
    fit.map(|invariant| {
        let name = invariant.name();
        let shown = if name == RENAMED.0 { RENAMED.1 } else { name };
        Judged { name: shown.to_owned(), outcome: invariant.check(&events).map(|()| basis(name)) }
    })
    .collect()
}
