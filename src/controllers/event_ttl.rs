//! Events are kept for an hour.

use crate::objects::{self, EVENTS};
use crate::{Action, Controller, Now, Plan, WorkKey};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use raftsman_state::{Change, View};
use std::time::Duration;

/// Deletes Events that are older than `ttl`.
pub struct EventTtl {
    /// How long an Event is kept after it was last seen.
    pub ttl: Duration,
}

/// When it was last seen.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    [series, last, first, created].into_iter().flatten().max()
}

impl Controller for EventTtl {
    fn name(&self) -> &'static str {
        "event-ttl-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let event = change.key().resource == *EVENTS && !change.deleted;
        if event { vec![change.key().clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &EVENTS)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let Some((object, event)) = objects::get::<Event>(view, key) else {
            return plan;
        };
        let age = last_seen(&event).map_or(self.ttl, |seen| now.since(seen));
        match self.ttl.checked_sub(age) {
            Some(left) if !left.is_zero() => plan.requeue(left),
            _ => plan.push(Action::Delete {
                key: key.clone(),
                uid: object.meta.uid.clone(),
                revision: Some(object.revision),
                grace: None,
                propagation: None,
            }),
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use serde_json::json;

    #[test]
    fn kept_for_its_time_after_it_was_last_seen() {
        let mut cluster = Cluster::default();
        let event = cluster.put(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "x"},
            "involvedObject": {}, "lastTimestamp": "2026-01-02T03:14:05Z",
        }));
        let ttl = EventTtl { ttl: Duration::from_secs(3600) };
        cluster.pass(3600);
        assert_eq!(cluster.step(&ttl, &event.key).requeue_after, Some(Duration::from_secs(600)));
        cluster.pass(600);
        cluster.step(&ttl, &event.key);
        assert!(cluster.names(&EVENTS).is_empty());
    }
}
