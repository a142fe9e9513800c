//! Garbage collection by owner: dependents of what is gone go; owners in foreground deletion wait; orphans live on.

mod owners;

use crate::{Action, Controller, Now, Plan, Propagation, WorkKey};
use owners::{Found, find, invalid_owner, is_namespaced, waits};
use raftsman_api::meta;
use raftsman_api::value::{At, set};
use raftsman_state::{Change, Object, View};
use serde_json::{Value, json};

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
    // As it was when its owners were looked at: it may have got another one since.
    Action::Delete { key, uid, revision: Some(object.revision), grace: None, propagation: Some(propagation) }
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
    // What owns itself does not wait for itself.
    let mut others = view.by_owner(uid).filter(|dependent| dependent.meta.uid != *uid);
    if !others.any(|dependent| blocks(dependent, uid)) {
        return without_finalizer(owner, finalizers, FOREGROUND);
    }
    // Dependents are their own keys, and were asked for when the owner's deletion began.
    Plan::none()
}

fn blocks(dependent: &Object, owner: &str) -> bool {
    dependent.meta.owners.iter().any(|by| *by.uid == *owner && by.block_deletion)
}

/// An object with owners: it stays while one of them does.
fn dependent(view: &View, object: &Object) -> Plan {
    let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
    let owners = meta::owners(&json);
    let mut plan = Plan::none();
    // What belongs to no namespace cannot be owned from within one. Whoever wrote that is told; nothing is deleted for it.
    if object.key.namespace().is_empty()
        && let Some(owner) = owners.iter().find(|owner| is_namespaced(owner))
    {
        plan.chain(invalid_owner(object, owner).into_iter().collect());
        return plan;
    }
    let (mut solid, mut waiting, mut lost) = (0, 0, Vec::new());
    for owner in &owners {
        match find(view, object, owner) {
            Found::Solid => {
                solid += 1;
                continue;
            }
            Found::Waiting => waiting += 1,
            Found::Gone => {}
            Found::Elsewhere => plan.chain(invalid_owner(object, owner).into_iter().collect()),
        }
        lost.push(owner.uid);
    }
    if lost.is_empty() {
        return plan;
    }
    if solid > 0 {
        plan.push(without_owners(object, |uid| lost.contains(&uid)));
        return plan;
    }
    let mut own = view.by_owner(&object.meta.uid).peekable();
    if waiting == 0 || own.peek().is_none() {
        plan.push(delete(object, own_policy(&json)));
    } else if own.any(|own| waits(own)) && owners.iter().any(|owner| owner.block_deletion) {
        // Perhaps a circle, in which everyone would wait for the next: this one holds up nobody any more.
        plan.push(unblocking(object, &json));
    } else {
        plan.push(delete(object, Propagation::Foreground));
    }
    plan
}

/// What an earlier delete of the object asked for its own dependents holds.
fn own_policy(object: &Value) -> Propagation {
    let finalizers = meta::finalizers(object);
    if finalizers.contains(&ORPHAN) {
        Propagation::Orphan
    } else if finalizers.contains(&FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

/// The patch after which an object's owners need not wait for it.
fn unblocking(object: &Object, json: &Value) -> Action {
    let mut owners = json.list("metadata.ownerReferences").to_vec();
    owners.iter_mut().filter(|owner| owner.flag("blockOwnerDeletion")).for_each(|owner| {
        set(owner, "blockOwnerDeletion", false);
    });
    patch(object, json!({ "metadata": { "ownerReferences": owners } }))
}

#[cfg(test)]
#[path = "garbage_tests.rs"]
mod tests;
