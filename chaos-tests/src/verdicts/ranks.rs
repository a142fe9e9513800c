//! Revisions are counted over all objects of a cluster; of those that one namespace shows, the order is what matters. Here
//! each becomes its rank, so that the invariants of a whole store fit.

use crate::invariants::{Action, Event, Known, Seen};
use std::collections::BTreeSet;

/// The same events with ranks for revisions. An acknowledged revision that nobody saw has none that exists.
pub(super) fn ranked(events: &[Event]) -> Vec<Event> {
    let revision = |event: &Event| match event.seen {
        Seen::Change { revision, .. } => Some(revision),
        _ => None,
    };
    let seen: Vec<u64> = events.iter().filter_map(revision).collect::<BTreeSet<_>>().into_iter().collect();
    let up_to = |revision: u64| seen.partition_point(|known| *known <= revision) as u64;
    let exact = |revision: u64| if seen.binary_search(&revision).is_ok() { up_to(revision) } else { u64::MAX };
    let known = |revision: Known<u64>| match revision {
        Known::Yes(revision) => Known::Yes(exact(revision)),
        Known::No => Known::No,
    };
    let rank = |event: &Event| {
        let mut event = event.clone();
        match &mut event.seen {
            Seen::Change { revision, .. } | Seen::Watched { revision, .. } => *revision = exact(*revision),
            Seen::Watching { after, .. } => *after = up_to(*after),
            Seen::View { revision, .. } => *revision = up_to(*revision),
            Seen::Operation(operation) => match &mut operation.action {
                Action::Put { revision, .. } => *revision = known(*revision),
                Action::Swap { revision, .. } => {
                    if let Known::Yes(Some(told)) = revision {
                        *revision = Known::Yes(Some(exact(*told)));
                    }
                }
                Action::Read { .. } => {}
            },
            Seen::Leading { .. } | Seen::Entry { .. } => {}
        }
        event
    };
    events.iter().map(rank).collect()
}
