//! Revisions: finding or making the new ReplicaSet, and numbering it.

use super::{Sets, Work, conditions, numbers, sets};
use crate::objects::{self, REPLICA_SETS};
use crate::{Action, Key};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetSpec};
use raftsman_api::kind::Subresource;
use raftsman_api::names;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Annotation: the number of a template among those that the deployment had.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Longest text of the history annotation.
const HISTORY_MOST: usize = 2000;
/// Annotations of the deployment that are not its ReplicaSets'.
const OWN: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    sets::DESIRED,
    sets::MOST,
    "deprecated.deployment.rollback.to",
];

pub(super) fn revision(annotations: Option<&BTreeMap<String, String>>) -> i64 {
    annotations.and_then(|all| all.get(REVISION)?.parse().ok()).unwrap_or(0)
}

/// Brings the new ReplicaSet's annotations and the deployment's revision up to date; makes the set if `create`. False if
/// the plan must be made again on what it writes.
pub(super) fn sync(work: &mut Work<'_>, all: &mut Sets, create: bool) -> bool {
    let newest = all.old.iter().map(|set| revision(set.typed.metadata.annotations.as_ref())).max().unwrap_or(0);
    let number = newest.saturating_add(1);
    let Some(new) = &all.new else {
        if create {
            make(work, all, number);
        }
        return !create;
    };
    let mut changes = inherited(work, new.typed.metadata.annotations.as_ref());
    let before = new.annotation(REVISION).unwrap_or("");
    let current = revision(new.typed.metadata.annotations.as_ref());
    if number > current {
        changes.push((REVISION.to_owned(), number.to_string().into()));
        if !before.is_empty() && current > 0 {
            let history = history(new.annotation(HISTORY).unwrap_or(""), before);
            changes.push((HISTORY.to_owned(), history.into()));
        }
    }
    let min_ready = work.spec.min_ready_seconds;
    let waits = new.typed.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
    if !changes.is_empty() || min_ready.unwrap_or(0) != waits.unwrap_or(0) {
        let mut patch = sets::annotations(changes);
        if min_ready.unwrap_or(0) != waits.unwrap_or(0) {
            patch["spec"] = json!({ "minReadySeconds": min_ready });
        }
        let patch = new.patch(patch);
        work.plan.push(patch);
        // The set's revision moves: what else is to be done with it comes with the next plan.
        return false;
    }
    number_deployment(work, current.max(number));
    conditions::found(work, new.name())
}

/// Annotations that a set takes over from the deployment.
fn inherited(work: &Work<'_>, present: Option<&BTreeMap<String, String>>) -> Vec<(String, Value)> {
    let ours = work.deployment.metadata.annotations.iter().flatten();
    let ours = ours.filter(|(key, _)| !OWN.contains(&key.as_str()));
    ours.filter(|(key, value)| present.and_then(|all| all.get(*key)) != Some(value))
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect()
}

/// The history with one more revision, the oldest dropped where it grows too long.
fn history(old: &str, revision: &str) -> String {
    let mut parts: Vec<&str> = old.split(',').filter(|part| !part.is_empty()).chain([revision]).collect();
    while parts.len() > 1 && parts.iter().map(|part| part.len() + 1).sum::<usize>() > HISTORY_MOST {
        parts.remove(0);
    }
    parts.join(",")
}

fn number_deployment(work: &mut Work<'_>, number: i64) {
    if revision(work.deployment.metadata.annotations.as_ref()) != number {
        let patch = sets::annotations([(REVISION.to_owned(), number.to_string().into())]);
        let patch = work.patch(patch, None);
        work.plan.push(patch);
    }
}

/// Makes the ReplicaSet of the deployment's template.
fn make(work: &mut Work<'_>, all: &Sets, number: i64) {
    let collisions = work.deployment.status.as_ref().and_then(|status| status.collision_count);
    let Ok(json) = serde_json::to_value(&work.spec.template) else {
        return;
    };
    let hash = names::template_hash(&json, collisions.map(i64::from));
    let (name, namespace) = (work.object.key.name(), work.object.key.namespace());
    let key = Key::new(&REPLICA_SETS, namespace, &format!("{name}-{hash}"));
    if work.view.get(&key).is_some() {
        // Another template has this hash, or somebody else this name.
        let patch = json!({ "status": { "collisionCount": collisions.unwrap_or(0) + 1 } });
        let patch = work.patch(patch, Some(Subresource::Status));
        return work.plan.push(patch);
    }
    let replicas = first_size(work, all);
    let Some(object) = set(work, &key, &hash, number, replicas) else {
        return;
    };
    let mut chain = vec![Action::Create { key: key.clone(), object }];
    if replicas > 0 {
        chain.push(sets::scaled(work, key.name(), 0, replicas));
    }
    chain.extend(conditions::created(work, key.name()));
    work.plan.chain(chain);
    conditions::refused(work);
    number_deployment(work, number);
}

/// What a new set may begin with beside the old ones.
pub(super) fn first_size(work: &Work<'_>, all: &Sets) -> i32 {
    grown(work, all, 0)
}

/// What the new set may grow to from `current`.
pub(super) fn grown(work: &Work<'_>, all: &Sets, current: i32) -> i32 {
    let room = work.replicas().saturating_add(numbers::surge(work.spec)) - all.held();
    if room <= 0 { current } else { current + room.min(work.replicas() - current) }
}

fn set(work: &Work<'_>, key: &Key, hash: &str, number: i64, replicas: i32) -> Option<Value> {
    let mut template = work.spec.template.clone();
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(sets::HASH.to_owned(), hash.to_owned());
    let labels = labels.clone();
    let mut selector = work.spec.selector.clone();
    selector.match_labels.get_or_insert_default().insert(sets::HASH.to_owned(), hash.to_owned());
    let desired = work.replicas();
    let most = desired.saturating_add(numbers::surge(work.spec));
    let mut annotations: BTreeMap<String, String> =
        inherited(work, None).into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    annotations.insert(REVISION.to_owned(), number.to_string());
    annotations.insert(sets::DESIRED.to_owned(), desired.to_string());
    annotations.insert(sets::MOST.to_owned(), most.to_string());
    let owner = objects::controlled_by("apps/v1", "Deployment", work.object.key.name(), &work.object.meta.uid);
    let mut set = ReplicaSet::default();
    set.metadata.name = Some(key.name().to_owned());
    set.metadata.namespace = Some(key.namespace().to_owned());
    set.metadata.labels = Some(labels);
    set.metadata.annotations = Some(annotations);
    set.metadata.owner_references = Some(vec![owner]);
    set.spec = Some(ReplicaSetSpec {
        replicas: Some(replicas),
        min_ready_seconds: work.spec.min_ready_seconds,
        selector,
        template: Some(template),
    });
    serde_json::to_value(&set).ok()
}
