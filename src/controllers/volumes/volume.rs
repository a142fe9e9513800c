//! One volume: whose it is, and what becomes of it when its claim is gone.

use super::claim_of;
use crate::objects;
use crate::{Action, Now, Plan, Propagation, ownership, patch};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use raftsman_api::volumes::{LOCAL_PATH, VOLUME_PROTECTION};
use raftsman_state::{Object, View};
use serde_json::{Value, json};

/// What a volume is to its claim.
#[derive(PartialEq)]
enum Held {
    /// Nobody's.
    Free,
    /// A claim names it, or is about to.
    Kept,
    /// Its claim is gone, or has another volume.
    Released,
}

fn held(view: &View, object: &Object, volume: &PersistentVolume) -> Held {
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let uid = reference.and_then(|reference| reference.uid.as_deref()).filter(|uid| !uid.is_empty());
    let (Some(key), Some(uid)) = (claim_of(volume), uid) else {
        return Held::Free;
    };
    match objects::get::<PersistentVolumeClaim>(view, &key) {
        Some((claim, typed)) if *claim.meta.uid == *uid => match super::volume_of(&typed) {
            Some(other) if other != object.key => Held::Released,
            _ => Held::Kept,
        },
        _ => Held::Released,
    }
}

pub(super) fn plan(plan: &mut Plan, view: &View, object: &Object, volume: &PersistentVolume, now: &Now) {
    let held = held(view, object, volume);
    if object.meta.deleting {
        let finalizers = volume.metadata.finalizers.as_deref().unwrap_or_default();
        if held != Held::Kept && finalizers.iter().any(|name| name == VOLUME_PROTECTION) {
            let rest: Vec<&String> = finalizers.iter().filter(|name| *name != VOLUME_PROTECTION).collect();
            let rest = if rest.is_empty() { Value::Null } else { json!(rest) };
            plan.push(ownership::patch(object, json!({ "metadata": { "finalizers": rest } })));
        }
        return;
    }
    let spec = volume.spec.as_ref();
    let status = volume.status.clone().unwrap_or_default();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref()).unwrap_or("Retain");
    let ours = spec.and_then(|spec| spec.csi.as_ref()).is_some_and(|csi| csi.driver == LOCAL_PATH);
    let mut message = None;
    let phase = match held {
        Held::Free => "Available",
        Held::Kept => "Bound",
        Held::Released if policy == "Delete" && ours => {
            // The node removes the directory when it hears that its volume is gone.
            plan.push(Action::Delete {
                key: object.key.clone(),
                uid: object.meta.uid.clone(),
                revision: Some(object.revision),
                grace: None,
                propagation: Some(Propagation::Background),
            });
            "Released"
        }
        Held::Released if policy == "Retain" => "Released",
        Held::Released => {
            message =
                Some(format!("reclaim policy {policy} is not supported for this type of volume: delete it by hand"));
            "Failed"
        }
    };
    if status.phase.as_deref() != Some(phase) {
        let new = PersistentVolumeStatus {
            phase: Some(phase.to_owned()),
            last_phase_transition_time: Some(Time(now.time)),
            reason: message.as_ref().map(|_| "VolumeFailedDelete".to_owned()),
            message,
        };
        if let Some(patch) = patch::status(&volume.status, &new) {
            let (key, uid) = (object.key.clone(), object.meta.uid.clone());
            plan.push(Action::Patch { key, uid, revision: None, patch, part: Some(Subresource::Status) });
        }
    }
}
