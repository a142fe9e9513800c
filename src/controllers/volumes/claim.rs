//! One claim: found a volume, or had one made.

use super::{FAILED, class, default_class, full_name, provision, select, volume_of, waits_for_consumer};
use crate::objects::{self, NODES, VOLUMES};
use crate::{Action, Key, Now, Plan, ownership, patch};
use k8s_openapi::api::core::v1::{
    ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus, Pod,
};
use raftsman_api::kind::Subresource;
use raftsman_api::volumes::{CLAIM_PROTECTION, LOCAL_PATH, POD_CLAIM, SELECTED_NODE, VOLUME_CLAIM};
use raftsman_state::{Object, View};
use serde_json::{Value, json};

/// The provisioner of classes whose volumes are made by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

fn event(object: &Object, good: bool, reason: &'static str, message: String) -> Action {
    objects::event(object, ("v1", "PersistentVolumeClaim"), good, reason, message)
}

pub(super) fn plan(plan: &mut Plan, view: &View, object: &Object, claim: &PersistentVolumeClaim, now: &Now) {
    if object.meta.deleting {
        return plan.chain(unprotect(view, object, claim).into_iter().collect());
    }
    if let Some(failure) = now.failure.as_ref().filter(|failure| failure.verb == "create") {
        plan.push(event(object, false, FAILED, format!("failed to provision volume: {}", failure.message)));
    }
    match volume_of(claim) {
        Some(key) => match objects::get::<PersistentVolume>(view, &key) {
            Some((held, volume)) => bound(plan, object, claim, &held, &volume),
            None => lost(plan, object, claim),
        },
        None => bind(plan, view, object, claim),
    }
}

/// A claim that no pod uses any more may go.
fn unprotect(view: &View, object: &Object, claim: &PersistentVolumeClaim) -> Option<Action> {
    let finalizers = claim.metadata.finalizers.as_deref().unwrap_or_default();
    if !finalizers.iter().any(|name| name == CLAIM_PROTECTION) {
        return None;
    }
    let uses =
        |pod: &std::sync::Arc<Object>| objects::decode::<Pod>(pod).is_none_or(|pod| !crate::pods::is_terminal(&pod));
    if view.by_index(POD_CLAIM, &full_name(&object.key)).any(uses) {
        return None;
    }
    let rest: Vec<&String> = finalizers.iter().filter(|name| *name != CLAIM_PROTECTION).collect();
    let rest = if rest.is_empty() { Value::Null } else { json!(rest) };
    Some(ownership::patch(object, json!({ "metadata": { "finalizers": rest } })))
}

/// The patch that makes a volume this claim's.
fn take(volume: &Object, claim: &Object) -> Action {
    let reference = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("PersistentVolumeClaim".to_owned()),
        namespace: Some(claim.key.namespace().to_owned()),
        name: Some(claim.key.name().to_owned()),
        uid: Some(claim.meta.uid.to_string()),
        ..ObjectReference::default()
    };
    ownership::patch(volume, json!({ "spec": { "claimRef": reference } }))
}

fn set_status(plan: &mut Plan, object: &Object, claim: &PersistentVolumeClaim, new: &PersistentVolumeClaimStatus) {
    if let Some(patch) = patch::status(&claim.status, new) {
        let (key, uid) = (object.key.clone(), object.meta.uid.clone());
        plan.push(Action::Patch { key, uid, revision: None, patch, part: Some(Subresource::Status) });
    }
}

/// It names a volume: the two belong together if the volume says so too.
fn bound(plan: &mut Plan, object: &Object, claim: &PersistentVolumeClaim, held: &Object, volume: &PersistentVolume) {
    let spec = volume.spec.clone().unwrap_or_default();
    let reference = spec.claim_ref.as_ref();
    let ours = reference.is_none_or(|reference| {
        reference.namespace.as_deref() == Some(object.key.namespace())
            && reference.name.as_deref() == Some(object.key.name())
            && reference.uid.as_deref().is_none_or(|uid| uid.is_empty() || *uid == *object.meta.uid)
    });
    if !ours {
        let told = format!("volume {:?} is bound to another claim", held.key.name());
        return plan.push(event(object, false, "FailedBinding", told));
    }
    if reference.and_then(|reference| reference.uid.as_deref()).unwrap_or("").is_empty() {
        return plan.push(take(held, object));
    }
    let old = claim.status.clone().unwrap_or_default();
    let new = PersistentVolumeClaimStatus {
        phase: Some("Bound".to_owned()),
        access_modes: spec.access_modes,
        capacity: spec.capacity,
        ..old
    };
    set_status(plan, object, claim, &new);
}

fn lost(plan: &mut Plan, object: &Object, claim: &PersistentVolumeClaim) {
    let old = claim.status.clone().unwrap_or_default();
    if old.phase.as_deref() != Some("Bound") {
        return;
    }
    set_status(plan, object, claim, &PersistentVolumeClaimStatus { phase: Some("Lost".to_owned()), ..old });
    let told = "Bound claim has lost its PersistentVolume. Data on the volume is lost!".to_owned();
    plan.push(event(object, false, "ClaimLost", told));
}

fn bind(plan: &mut Plan, view: &View, object: &Object, claim: &PersistentVolumeClaim) {
    let spec = claim.spec.clone().unwrap_or_default();
    let Some(name) = spec.storage_class_name.as_deref() else {
        if let Some((default, _)) = default_class(view) {
            let patch = json!({ "spec": { "storageClassName": default.key.name() } });
            return plan.push(ownership::patch(object, patch));
        }
        return pick(plan, view, object, claim, "", None);
    };
    pick(plan, view, object, claim, name, class(view, name).as_ref());
}

fn pick(
    plan: &mut Plan,
    view: &View,
    object: &Object,
    claim: &PersistentVolumeClaim,
    name: &str,
    class: Option<&super::Class>,
) {
    let annotations = claim.metadata.annotations.as_ref();
    let node = annotations.and_then(|all| all.get(SELECTED_NODE)).filter(|node| !node.is_empty());
    // One that was made for it, by an administrator or by a plan that ended half-way.
    let mut made = view.by_index(VOLUME_CLAIM, &full_name(&object.key)).filter(|volume| !volume.meta.deleting);
    let ours = made
        .find(|held| objects::decode::<PersistentVolume>(held).is_some_and(|volume| select::is_for(&volume, object)));
    let waits = class.is_some_and(|(_, class)| waits_for_consumer(class));
    let found = match ours {
        Some(held) => Some(held.clone()),
        None if waits && node.is_none() => {
            let told = "waiting for first consumer to be created before binding".to_owned();
            return plan.push(event(object, true, "WaitForFirstConsumer", told));
        }
        None => select::available(view, name, claim, node.map(String::as_str)),
    };
    if let Some(held) = found {
        let mut chain = Vec::new();
        let complete = objects::decode::<PersistentVolume>(&held)
            .and_then(|volume| volume.spec.as_ref()?.claim_ref.as_ref()?.uid.clone())
            .is_some_and(|uid| *uid == *object.meta.uid);
        if !complete {
            chain.push(take(&held, object));
        }
        chain.push(ownership::patch(object, json!({ "spec": { "volumeName": held.key.name() } })));
        return plan.chain(chain);
    }
    let Some((_, class)) = class else {
        let (reason, told) = if name.is_empty() {
            ("FailedBinding", "no persistent volumes available for this claim and no storage class is set".to_owned())
        } else {
            (FAILED, format!("storageclass.storage.k8s.io {name:?} not found"))
        };
        return plan.push(event(object, name.is_empty(), reason, told));
    };
    // A choice that leads nowhere is taken back: the scheduler makes another one.
    let gone = |node: &str| view.get(&Key::new(&NODES, "", node)).is_none();
    let unfit = class.provisioner == NO_PROVISIONER;
    if let Some(node) = node.filter(|node| waits && (unfit || gone(node.as_str()))) {
        let told = format!("node {node:?} cannot serve the claim: another one is to be chosen");
        return plan.chain(vec![
            ownership::patch(object, json!({ "metadata": { "annotations": { SELECTED_NODE: null } } })),
            event(object, false, FAILED, told),
        ]);
    }
    match (class.provisioner.as_str(), node) {
        (LOCAL_PATH, Some(node)) => match provision::local_path(view, object, claim, name, class, node) {
            Ok(made) => plan.chain(vec![
                made,
                event(
                    object,
                    true,
                    "ProvisioningSucceeded",
                    format!("Successfully provisioned volume {}", provision::name(object)),
                ),
            ]),
            Err(why) => plan.push(event(
                object,
                false,
                FAILED,
                format!("failed to provision volume with StorageClass {name:?}: {why}"),
            )),
        },
        (LOCAL_PATH, None) => {
            let told = format!(
                "StorageClass {name:?} must have volumeBindingMode WaitForFirstConsumer: a directory of a node is made where its pod runs"
            );
            plan.push(event(object, false, FAILED, told));
        }
        (NO_PROVISIONER, _) => {
            let told = "no volume plugin matched: storageclass has no provisioner, and no volume fits".to_owned();
            plan.push(event(object, true, "FailedBinding", told));
        }
        (other, _) => {
            let told = format!("Waiting for a volume to be created by the external provisioner {other:?}");
            plan.push(event(object, true, "ExternalProvisioning", told));
        }
    }
}

/// Kept here so that both sides name the resource alike.
pub(super) fn volume_key(name: &str) -> Key {
    Key::new(&VOLUMES, "", name)
}
