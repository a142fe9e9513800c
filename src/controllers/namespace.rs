//! `v1 Namespace`: empties a namespace that is being deleted, then lets it go.

use crate::objects::{self, NAMESPACES};
use crate::{Action, Controller, Failure, Key, Now, Plan, Propagation, WorkKey, patch};
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, NamespaceStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use raftsman_api::value::{At, set};
use raftsman_state::{Change, Object, View};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The finalizer in `spec.finalizers` that this controller removes.
const FINALIZER: &str = "kubernetes";
/// Objects deleted by one plan at most.
const BURST: usize = 500;
/// How often a namespace that does not empty is looked at, besides on every change in it.
const AGAIN: Duration = Duration::from_secs(15);

/// The controller of namespaces.
pub struct Namespaces;

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if key.resource == *NAMESPACES {
            return if change.object.meta.deleting && !change.deleted { vec![key.clone()] } else { Vec::new() };
        }
        let gone = change.deleted && !key.namespace().is_empty();
        let namespace = gone.then(|| view.get(&Key::new(&NAMESPACES, "", key.namespace()))).flatten();
        namespace
            .filter(|namespace| namespace.meta.deleting)
            .map(|namespace| namespace.key.clone())
            .into_iter()
            .collect()
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let all = view.list(&NAMESPACES, None).filter(|namespace| namespace.meta.deleting);
        all.map(|namespace| namespace.key.clone()).collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let Some((object, namespace)) = objects::get::<Namespace>(view, key) else {
            return Plan::none();
        };
        if !object.meta.deleting {
            return Plan::none();
        }
        let content = Content::of(view, key.name());
        if content.held.is_empty() {
            return finalize(&object);
        }
        let mut plan = Plan::none();
        for object in content.held.iter().filter(|object| !object.meta.deleting).take(BURST) {
            plan.push(Action::Delete {
                key: object.key.clone(),
                uid: object.meta.uid.clone(),
                revision: None,
                grace: None,
                propagation: Some(Propagation::Background),
            });
        }
        let failure = now.failure.as_deref().filter(|failure| failure.verb == "delete");
        let status = content.status(namespace.status.clone().unwrap_or_default(), failure, Time(now.time));
        if let Some(patch) = patch::status(&namespace.status, &status) {
            let (key, uid) = (key.clone(), object.meta.uid.clone());
            plan.push(Action::Patch { key, uid, revision: None, patch, part: Some(Subresource::Status) });
        }
        plan.requeue(AGAIN);
        plan
    }
}

/// What a namespace holds.
struct Content {
    held: Vec<Arc<Object>>,
}

impl Content {
    /// Everything with a uid: reservations go with their owners. Events last, so that what happens on the way is told.
    fn of(view: &View, namespace: &str) -> Self {
        let mut held: Vec<Arc<Object>> = view
            .tables()
            .flat_map(|(_, table)| table.list(Some(namespace), None))
            .filter(|object| !object.meta.uid.is_empty())
            .cloned()
            .collect();
        held.sort_by_key(|object| object.key.resource == *objects::EVENTS);
        Self { held }
    }

    fn status(&self, old: NamespaceStatus, failure: Option<&Failure>, now: Time) -> NamespaceStatus {
        let mut resources: BTreeMap<String, usize> = BTreeMap::new();
        let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
        for object in &self.held {
            let (group, plural) = (object.key.resource.group(), object.key.resource.plural());
            let dot = if group.is_empty() { "" } else { "." };
            *resources.entry(format!("{plural}{dot}{group}")).or_default() += 1;
            if object.meta.deleting {
                let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
                for finalizer in json.list("metadata.finalizers").iter().filter_map(Value::as_str) {
                    *finalizers.entry(finalizer.to_owned()).or_default() += 1;
                }
            }
        }
        let mut status = old;
        status.phase = Some("Terminating".to_owned());
        // What upstream finds out by asking the API is known here.
        for (kind, reason, well) in [
            ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
        ] {
            set_condition(&mut status, kind, ("", reason), None, well, &now);
        }
        set_condition(
            &mut status,
            "NamespaceDeletionContentFailure",
            ("ContentDeletionFailed", "ContentDeleted"),
            failure.map(|failure| format!("Failed to delete all resource types, 1 remaining: {}", failure.message)),
            "All content successfully deleted, may be waiting on finalization",
            &now,
        );
        let counted = |all: &BTreeMap<String, usize>, what: fn(&str, &usize) -> String| {
            all.iter().map(|(name, count)| what(name, count)).collect::<Vec<_>>().join(", ")
        };
        let remaining = counted(&resources, |name, count| format!("{name} has {count} resource instances"));
        set_condition(
            &mut status,
            "NamespaceContentRemaining",
            ("SomeResourcesRemain", "ContentRemoved"),
            (!remaining.is_empty()).then(|| format!("Some resources are remaining: {remaining}")),
            "All content successfully removed",
            &now,
        );
        let waiting = counted(&finalizers, |name, count| format!("{name} in {count} resource instances"));
        set_condition(
            &mut status,
            "NamespaceFinalizersRemaining",
            ("SomeFinalizersRemain", "ContentHasNoFinalizers"),
            (!waiting.is_empty()).then(|| format!("Some content in the namespace has finalizers remaining: {waiting}")),
            "All content-preserving finalizers finished",
            &now,
        );
        status
    }
}

fn set_condition(
    status: &mut NamespaceStatus,
    kind: &str,
    reasons: (&str, &str),
    problem: Option<String>,
    well: &str,
    now: &Time,
) {
    let value = if problem.is_some() { "True" } else { "False" };
    let reason = if problem.is_some() { reasons.0 } else { reasons.1 };
    let message = problem.unwrap_or_else(|| well.to_owned());
    let conditions = status.conditions.get_or_insert_default();
    let old = conditions.iter().position(|condition| condition.type_ == kind);
    let since = old.map(|at| conditions.remove(at)).filter(|old| old.status == value);
    let since = since.and_then(|old| old.last_transition_time).unwrap_or_else(|| now.clone());
    let condition = NamespaceCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(since),
    };
    conditions.insert(old.unwrap_or(conditions.len()), condition);
}

/// Removes our finalizer; the last one takes the namespace with it.
fn finalize(object: &Object) -> Plan {
    let Ok(mut json) = serde_json::from_slice::<Value>(&object.json) else {
        return Plan::none();
    };
    let finalizers: Vec<Value> =
        json.list("spec.finalizers").iter().filter(|name| name.as_str() != Some(FINALIZER)).cloned().collect();
    if finalizers.len() == json.list("spec.finalizers").len() {
        return Plan::none();
    }
    set(&mut json, "spec.finalizers", finalizers);
    let mut plan = Plan::none();
    plan.push(Action::Update {
        key: object.key.clone(),
        revision: object.revision,
        object: json,
        part: Some(Subresource::Finalize),
    });
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use serde_json::json;

    fn cluster() -> (Cluster, Key) {
        let mut cluster = Cluster::default();
        let namespace = cluster.put(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "spec": {"finalizers": ["kubernetes"]},
        }));
        for (name, finalizers) in [("a", json!([])), ("b", json!(["example.org/held"]))] {
            cluster.put(json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "x", "finalizers": finalizers},
            }));
        }
        cluster.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other", "namespace": "y"}}));
        (cluster, namespace.key.clone())
    }

    #[test]
    fn a_namespace_goes_when_it_is_empty_and_not_before() {
        let (mut cluster, key) = cluster();
        cluster.settle(&[&Namespaces]);
        assert_eq!(cluster.names(&objects::CONFIG_MAPS), ["a", "b", "other"], "it is not being deleted");
        let namespace = cluster.json(&key);
        cluster.delete(namespace, None, None);
        cluster.settle(&[&Namespaces]);
        assert_eq!(cluster.names(&objects::CONFIG_MAPS), ["b", "other"]);
        let namespace = cluster.json(&key);
        let message = |kind| raftsman_api::meta::condition(&namespace, kind).map(|found| found.text("message"));
        assert_eq!(
            message("NamespaceFinalizersRemaining"),
            Some("Some content in the namespace has finalizers remaining: example.org/held in 1 resource instances")
        );
        assert_eq!(
            message("NamespaceContentRemaining"),
            Some("Some resources are remaining: configmaps has 1 resource instances")
        );
        let conditions: Vec<(&str, &str)> = namespace
            .list("status.conditions")
            .iter()
            .map(|condition| (condition.text("type"), condition.text("status")))
            .collect();
        assert_eq!(
            conditions,
            [
                ("NamespaceDeletionDiscoveryFailure", "False"),
                ("NamespaceDeletionGroupVersionParsingFailure", "False"),
                ("NamespaceDeletionContentFailure", "False"),
                ("NamespaceContentRemaining", "True"),
                ("NamespaceFinalizersRemaining", "True"),
            ]
        );
        cluster.edit(&Key::new(&objects::CONFIG_MAPS, "x", "b"), |held| set(held, "metadata.finalizers", json!([])));
        cluster.settle(&[&Namespaces]);
        assert!(cluster.names(&NAMESPACES).is_empty());
    }

    #[test]
    fn what_could_not_be_deleted_is_told() {
        let (mut cluster, key) = cluster();
        let namespace = cluster.json(&key);
        cluster.delete(namespace, None, None);
        let failure = Failure { verb: "delete", message: "a webhook said no".to_owned() };
        let now = Now { failure: Some(Arc::new(failure)), ..cluster.now() };
        let plan = Namespaces.plan(&cluster.view(), &key, &now).to_string();
        assert!(plan.contains("ContentDeletionFailed") && plan.contains("a webhook said no"), "{plan}");
    }

    #[test]
    fn whatever_leaves_a_dying_namespace_wakes_it() {
        let (mut cluster, key) = cluster();
        let held = Key::new(&objects::CONFIG_MAPS, "x", "a");
        let wants = |cluster: &Cluster| {
            let view = cluster.view();
            let changes: Vec<_> = view.changes_after(&objects::CONFIG_MAPS, 0).into_iter().flatten().collect();
            changes.last().map(|change| Namespaces.wants(change, &view))
        };
        cluster.remove(&held);
        assert_eq!(wants(&cluster), Some(Vec::new()));
        let namespace = cluster.json(&key);
        cluster.delete(namespace, None, None);
        cluster.remove(&Key::new(&objects::CONFIG_MAPS, "x", "b"));
        assert_eq!(wants(&cluster), Some(vec![key]));
    }
}
