//! Which pods are an owner's: by controller reference, with adoption and release by selector.

use super::{Owner, PodObject, is_replica};
use crate::objects::{self, POD_ORPHAN, PODS};
use crate::{Action, ownership, pods};
use k8s_openapi::api::core::v1::Pod;
use raftsman_state::View;

/// The outcome of a claim.
pub(super) struct Claimed {
    /// Pods that count.
    pub active: Vec<PodObject>,
    /// Its pods that are on their way out.
    pub terminating: i32,
    /// Adoptions and releases to carry out.
    pub changes: Vec<Action>,
}

/// Sorts the pods that are the owner's, or that could become so.
pub(super) fn claim(view: &View, owner: &Owner) -> Claimed {
    let mut claimed = Claimed { active: Vec::new(), terminating: 0, changes: Vec::new() };
    let own = view.by_owner(&owner.uid).filter(|object| object.key.resource == *PODS);
    for object in own.filter(|object| object.meta.controller().is_some_and(|by| by.uid == owner.uid)) {
        let Some(pod) = objects::decode::<Pod>(object) else {
            continue;
        };
        if !owner.selector.matches(&object.meta) {
            if !owner.deleting {
                claimed.changes.extend(ownership::release(object, &pod.metadata, &owner.uid));
            }
        } else if is_replica(&pod) {
            claimed.active.push((object.clone(), pod));
        } else if !pods::is_terminal(&pod) {
            claimed.terminating += 1;
        }
    }
    if owner.deleting {
        return claimed;
    }
    for object in view.by_index(POD_ORPHAN, &owner.namespace) {
        if object.meta.deleting || !owner.selector.matches(&object.meta) {
            continue;
        }
        let Some(pod) = objects::decode::<Pod>(object).filter(|pod| is_replica(pod)) else {
            continue;
        };
        claimed.changes.extend(ownership::adopt(object, &pod.metadata, owner.reference()));
    }
    claimed
}
