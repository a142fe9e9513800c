//! Which pods are a set's, and in what state.

use super::{Work, identity};
use crate::objects::{self, POD_ORPHAN, PODS};
use crate::selector::Selector;
use crate::{Action, ownership, pods};
use k8s_openapi::api::core::v1::Pod;
use raftsman_state::Object;
use std::sync::Arc;
use std::time::Duration;

/// A pod of the set.
pub(super) struct Member {
    pub ordinal: i32,
    pub object: Arc<Object>,
    pub pod: Arc<Pod>,
}

impl Member {
    pub fn is_terminating(&self) -> bool {
        self.object.meta.deleting
    }

    pub fn is_ready(&self) -> bool {
        pods::phase(&self.pod) == "Running" && pods::is_ready(&self.pod)
    }

    /// Ready for long enough. `Err` says after how long it will be.
    pub fn available(&self, work: &Work<'_>) -> Result<bool, Duration> {
        if !self.is_ready() {
            return Ok(false);
        }
        let seconds = work.spec.min_ready_seconds.unwrap_or(0).max(0).unsigned_abs();
        pods::available(&self.pod, Duration::from_secs(seconds.into()), work.now.time)
    }

    pub fn is_available(&self, work: &Work<'_>) -> bool {
        matches!(self.available(work), Ok(true))
    }

    /// Serves, and is to stay.
    pub fn is_healthy(&self, work: &Work<'_>) -> bool {
        !self.is_terminating() && self.is_available(work)
    }

    /// The revision that it was made of.
    pub fn revision(&self) -> &str {
        self.object.meta.label(identity::REVISION).unwrap_or("")
    }
}

/// Sorts out the set's pods: those that are its own, and the adoptions and releases to carry out.
pub(super) fn claim(work: &Work<'_>, selector: &Selector) -> (Vec<Member>, Vec<Action>) {
    let (mut members, mut changes) = (Vec::new(), Vec::new());
    let uid = &work.object.meta.uid;
    let ordinal = |object: &Object| {
        identity::split(object.key.name()).filter(|(parent, _)| *parent == work.name()).map(|(_, ordinal)| ordinal)
    };
    let own = work.view.by_owner(uid).filter(|object| object.key.resource == *PODS);
    for object in own.filter(|object| object.meta.controller().is_some_and(|by| by.uid == *uid)) {
        let Some(pod) = objects::decode::<Pod>(object) else {
            continue;
        };
        match ordinal(object).filter(|_| selector.matches(&object.meta)) {
            Some(ordinal) => members.push(Member { ordinal, object: object.clone(), pod }),
            None if !work.object.meta.deleting => {
                changes.extend(ownership::release(object, &pod.metadata, uid));
            }
            None => {}
        }
    }
    if work.object.meta.deleting {
        return (members, changes);
    }
    for object in work.view.by_index(POD_ORPHAN, work.namespace()) {
        if object.meta.deleting || ordinal(object).is_none() || !selector.matches(&object.meta) {
            continue;
        }
        let pod = objects::decode::<Pod>(object);
        changes.extend(pod.and_then(|pod| ownership::adopt(object, &pod.metadata, work.reference())));
    }
    (members, changes)
}

/// The pods within the range of ordinals, one place each, and those beyond it, highest first.
pub(super) fn sort(work: &Work<'_>, members: Vec<Member>) -> (Vec<Option<Member>>, Vec<Member>) {
    let mut replicas: Vec<Option<Member>> = (0..work.replicas()).map(|_| None).collect();
    let mut condemned = Vec::new();
    for member in members {
        let place = usize::try_from(member.ordinal - work.start()).ok().and_then(|at| replicas.get_mut(at));
        match place {
            Some(place) if work.in_range(member.ordinal) => *place = Some(member),
            _ => condemned.push(member),
        }
    }
    condemned.sort_by_key(|member| std::cmp::Reverse(member.ordinal));
    (replicas, condemned)
}
