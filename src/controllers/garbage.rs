//! Garbage collection by owner: dependents of what is gone go; owners in foreground deletion wait; orphans live on.

use crate::{Action, Controller, Now, Plan, Propagation, WorkKey};
use raftsman_api::value::At;
use raftsman_api::{meta, registry};
use raftsman_state::{Change, Object, Owner, View};
use serde_json::{Value, json};
use std::sync::Arc;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Dependents handled by one plan at most.
const BURST: usize = 500;

/// The garbage collector.
pub struct Garbage;

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "garbage-collector-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let object = &change.object;
        let mut keys = Vec::new();
        if change.deleted {
            // Those it owned, and those that waited for it.
            if !object.meta.uid.is_empty() {
                keys.extend(view.by_owner(&object.meta.uid).map(|dependent| dependent.key.clone()));
            }
            let owners = object.meta.owners.iter().filter_map(|owner| view.by_uid(&owner.uid));
            keys.extend(owners.filter(|owner| owner.meta.deleting).map(|owner| owner.key.clone()));
            return keys;
        }
        let before = change.previous.as_ref();
        let owners_moved = before.is_none_or(|before| before.meta.owners != object.meta.owners);
        if object.meta.deleting || (owners_moved && !object.meta.owners.is_empty()) {
            keys.push(object.key.clone());
        }
        if object.meta.deleting && !object.meta.uid.is_empty() {
            keys.extend(view.by_owner(&object.meta.uid).map(|dependent| dependent.key.clone()));
        }
        if owners_moved {
            // Dependents that left an owner which waits for them.
            let left = before.into_iter().flat_map(|before| &before.meta.owners);
            let left = left.filter_map(|owner| view.by_uid(&owner.uid)).filter(|owner| owner.meta.deleting);
            keys.extend(left.map(|owner| owner.key.clone()));
        }
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let all = view.tables().flat_map(|(_, table)| table.list(None, None));
        let all = all.filter(|object| object.meta.deleting || !object.meta.owners.is_empty());
        all.map(|object| object.key.clone()).collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, _now: &Now) -> Plan {
        let Some(object) = view.get(key).filter(|object| !object.meta.uid.is_empty()) else {
            return Plan::none();
        };
        if object.meta.deleting {
            let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
            let finalizers = meta::finalizers(&json);
            if finalizers.contains(&ORPHAN) {
                return orphan(view, object, &finalizers);
            }
            if finalizers.contains(&FOREGROUND) {
                return foreground(view, object, &finalizers);
            }
            return Plan::none();
        }
        if object.meta.owners.is_empty() { Plan::none() } else { dependent(view, object) }
    }
}

fn patch(object: &Object, patch: Value) -> Action {
    let (key, uid) = (object.key.clone(), object.meta.uid.clone());
    Action::Patch { key, uid, revision: Some(object.revision), patch, part: None }
}

fn without_finalizer(object: &Object, finalizers: &[&str], name: &str) -> Plan {
    let rest: Vec<&str> = finalizers.iter().filter(|finalizer| **finalizer != name).copied().collect();
    let rest = if rest.is_empty() { Value::Null } else { json!(rest) };
    let mut plan = Plan::none();
    plan.push(patch(object, json!({ "metadata": { "finalizers": rest } })));
    plan
}

/// The patch that takes some owners' references from an object.
fn without_owners(object: &Object, gone: impl Fn(&str) -> bool) -> Action {
    let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
    let rest: Vec<Value> =
        json.list("metadata.ownerReferences").iter().filter(|owner| !gone(owner.text("uid"))).cloned().collect();
    let rest = if rest.is_empty() { Value::Null } else { rest.into() };
    patch(object, json!({ "metadata": { "ownerReferences": rest } }))
}

fn delete(object: &Object, propagation: Propagation) -> Action {
    let (key, uid) = (object.key.clone(), object.meta.uid.clone());
    Action::Delete { key, uid, revision: None, grace: None, propagation: Some(propagation) }
}

/// Every dependent loses its reference before the owner may go.
fn orphan(view: &View, owner: &Object, finalizers: &[&str]) -> Plan {
    let uid = &owner.meta.uid;
    let mut plan = Plan::none();
    for dependent in view.by_owner(uid).take(BURST) {
        plan.push(without_owners(dependent, |owner| *owner == **uid));
    }
    if plan.is_empty() { without_finalizer(owner, finalizers, ORPHAN) } else { plan }
}

/// Every dependent is deleted; those that block hold the owner until they are gone.
fn foreground(view: &View, owner: &Object, finalizers: &[&str]) -> Plan {
    let uid = &owner.meta.uid;
    let blocks = |by: &Owner| by.uid == *uid && by.block_deletion;
    let mut blocking = view.by_owner(uid).filter(|dependent| dependent.meta.owners.iter().any(blocks));
    if blocking.next().is_none() {
        return without_finalizer(owner, finalizers, FOREGROUND);
    }
    // Dependents are their own keys, and were asked for when the owner's deletion began.
    Plan::none()
}

/// What the owner of a reference is.
enum Found {
    /// There, and to stay (or being deleted in the background: then it is gone soon).
    Solid,
    /// In foreground deletion: waits for this dependent.
    Waiting,
    /// Gone, or never was.
    Gone,
}

fn find(view: &View, dependent: &Object, owner: &Owner) -> Found {
    // A namespaced owner counts in its own namespace only.
    let found = view
        .by_uid(&owner.uid)
        .filter(|found| found.key.namespace().is_empty() || found.key.namespace() == dependent.key.namespace());
    match found {
        None if is_known(dependent, &owner.uid) => Found::Gone,
        None => Found::Solid,
        Some(found) if found.meta.deleting && has_finalizer(found, FOREGROUND) => Found::Waiting,
        Some(_) => Found::Solid,
    }
}

/// Whether the reference names a kind that is served here: of another one nothing can be said, so it counts as there.
fn is_known(dependent: &Object, uid: &str) -> bool {
    let json: Value = serde_json::from_slice(&dependent.json).unwrap_or_default();
    let owner = meta::owners(&json).into_iter().find(|owner| owner.uid == uid);
    owner.is_some_and(|owner| {
        let group = owner.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        registry::all().iter().any(|strategy| strategy.info().group == group && strategy.info().kind == owner.kind)
    })
}

fn has_finalizer(object: &Arc<Object>, name: &str) -> bool {
    let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
    meta::finalizers(&json).contains(&name)
}

/// An object with owners: it stays while one of them does.
fn dependent(view: &View, object: &Object) -> Plan {
    let (mut solid, mut waiting, mut lost) = (0, 0, Vec::new());
    for owner in &object.meta.owners {
        match find(view, object, owner) {
            Found::Solid => solid += 1,
            Found::Waiting => {
                waiting += 1;
                lost.push(owner.uid.clone());
            }
            Found::Gone => lost.push(owner.uid.clone()),
        }
    }
    let mut plan = Plan::none();
    if lost.is_empty() {
        return plan;
    }
    if solid > 0 {
        plan.push(without_owners(object, |uid| lost.iter().any(|lost| **lost == *uid)));
    } else if waiting > 0 && view.by_owner(&object.meta.uid).next().is_some() {
        plan.push(delete(object, Propagation::Foreground));
    } else {
        plan.push(delete(object, Propagation::Background));
    }
    plan
}

#[cfg(test)]
#[path = "garbage_tests.rs"]
mod tests;
