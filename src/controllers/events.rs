//! Events: repeated ones are counted on one object, as clients expect (`v1 Event.count`).

use crate::{Action, Key, Note, objects};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use raftsman_api::time;
use raftsman_state::View;
use serde_json::json;

/// Where Events of cluster-scoped objects live.
const FALLBACK_NAMESPACE: &str = "default";

/// Who tells an Event (`v1 EventSource`).
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The controller, `default-scheduler`, `kubelet`.
    pub component: &'a str,
    /// The node, for what happened on one.
    pub host: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// A controller.
    pub fn of(component: &'a str) -> Self {
        Self { component, host: None }
    }
}

/// The write that records an Event: the first of its kind is created, another one counted. What makes two Events the same
/// is the object's uid, the source, type, reason and message.
pub fn record(view: &View, note: &Note, Source { component, host }: Source<'_>, now: Timestamp) -> Action {
    let regarding = &note.regarding;
    let namespace = match regarding.key.namespace() {
        "" => FALLBACK_NAMESPACE,
        namespace => namespace,
    };
    let same = objects::hash(&[
        &regarding.uid,
        component,
        host.unwrap_or_default(),
        note.kind.as_str(),
        &note.reason,
        &note.message,
    ]);
    let name = format!("{}.{same:016x}", regarding.key.name());
    let key = Key::new(&objects::EVENTS, namespace, &name);
    let now = time::seconds(now);
    if let Some(object) = view.get(&key) {
        let count = objects::decode::<Event>(object).and_then(|event| event.count).unwrap_or(1);
        let patch = json!({ "count": count.saturating_add(1), "lastTimestamp": now });
        let (uid, revision) = (object.meta.uid.clone(), Some(object.revision));
        return Action::Patch { key, uid, revision, patch, part: None };
    }
    let mut involved = json!({
        "apiVersion": regarding.api_version, "kind": regarding.kind, "name": regarding.key.name(), "uid": &*regarding.uid,
    });
    if !regarding.key.namespace().is_empty() {
        involved["namespace"] = regarding.key.namespace().into();
    }
    let mut source = json!({ "component": component });
    if let Some(host) = host {
        source["host"] = host.into();
    }
    let object = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": name, "namespace": namespace },
        "involvedObject": involved,
        "type": note.kind.as_str(), "reason": &*note.reason, "message": note.message,
        "source": source, "reportingComponent": component, "reportingInstance": host.unwrap_or_default(),
        "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    });
    Action::Create { key, object }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::testing::Cluster;
    use crate::{EventType, ObjectRef};

    #[test]
    fn a_repeated_event_is_counted_on_the_same_object() {
        let mut cluster = Cluster::default();
        let pod = cluster.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "x"}}));
        let regarding = ObjectRef { key: pod.key.clone(), api_version: "v1", kind: "Pod", uid: pod.meta.uid.clone() };
        let note = Note { regarding, kind: EventType::Normal, reason: "Because".into(), message: "m".into() };
        for _ in 0..3 {
            let action = record(&cluster.view(), &note, Source::of("tests"), cluster.time);
            cluster.execute(&action).unwrap();
        }
        let other = Note { message: "n".into(), ..note };
        let action = record(&cluster.view(), &other, Source::of("tests"), cluster.time);
        cluster.execute(&action).unwrap();
        let mut counts: Vec<_> = cluster
            .view()
            .list(&objects::EVENTS, Some("x"))
            .map(|event| event.decode::<Event>().unwrap().count.unwrap())
            .collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 3]);
    }
}
