//! Which pods are a job's, and what they say.

use super::{TRACKING, Work};
use crate::objects::{self, JOBS, POD_ORPHAN, PODS};
use crate::selector::Selector;
use crate::{Action, Plan, WorkKey, ownership, pods};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_state::{Object, View};
use serde_json::{Value, json};
use std::sync::Arc;

/// Annotation and label: which completion a pod is for (KEP-2214).
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// A pod of the job.
pub(super) struct Member {
    pub object: Arc<Object>,
    pub pod: Arc<Pod>,
    /// Its run is not yet in the job's status.
    pub tracked: bool,
    /// Its completion index, if it has one.
    pub index: Option<u32>,
}

impl Member {
    fn new(object: &Arc<Object>, pod: Arc<Pod>) -> Self {
        let index = pod.metadata.annotations.as_ref().and_then(|all| all.get(INDEX)?.parse().ok());
        Self { object: object.clone(), tracked: is_tracked(&pod), index, pod }
    }

    pub fn uid(&self) -> &str {
        &self.object.meta.uid
    }

    /// Neither ended nor being deleted.
    pub fn is_active(&self) -> bool {
        pods::is_active(&self.pod)
    }

    pub fn is_ready(&self) -> bool {
        pods::is_ready(&self.pod)
    }

    /// Being deleted, and not ended yet.
    pub fn is_terminating(&self) -> bool {
        self.object.meta.deleting && !pods::is_terminal(&self.pod)
    }

    pub fn has_succeeded(&self) -> bool {
        pods::phase(&self.pod) == "Succeeded"
    }

    /// It failed, or counts so: one that is being deleted may never say how it ended.
    pub fn has_failed(&self, work: &Work<'_>) -> bool {
        match pods::phase(&self.pod) {
            "Failed" => true,
            "Succeeded" => false,
            _ => self.object.meta.deleting && !work.replaces_only_failed(),
        }
    }

    /// It has an index that the job still has, or needs none.
    pub fn is_valid(&self, work: &Work<'_>) -> bool {
        !work.is_indexed() || self.index.is_some_and(|index| index < work.completions().unwrap_or(0))
    }

    /// When it ended, as far as that can be told.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let status = self.pod.status.as_ref();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        let ended = containers
            .iter()
            .filter_map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
        let deleted = || {
            let at = self.pod.metadata.deletion_timestamp.as_ref()?.0;
            let grace = self.pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            at.checked_sub(jiff::SignedDuration::from_secs(grace)).ok()
        };
        let unready = || pods::condition(&self.pod, "Ready")?.last_transition_time.as_ref().map(|time| time.0);
        let created = || self.pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        ended.max().or_else(deleted).or_else(unready).or_else(created)
    }

    /// The patch that takes the tracking finalizer away.
    pub fn untrack(&self) -> Action {
        untrack(&self.object, &self.pod, json!({}))
    }
}

pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|name| name == TRACKING)
}

fn untrack(object: &Object, pod: &Pod, mut metadata: Value) -> Action {
    let rest: Vec<&String> = pod.metadata.finalizers.iter().flatten().filter(|name| *name != TRACKING).collect();
    metadata["finalizers"] = if rest.is_empty() { Value::Null } else { json!(rest) };
    ownership::patch(object, json!({ "metadata": metadata }))
}

/// The job's pods, and the adoptions and releases to carry out. An adopted pod is tracked, a released one no more.
pub(super) fn claim(work: &Work<'_>, selector: &Selector) -> (Vec<Member>, Vec<Action>) {
    let (mut members, mut changes) = (Vec::new(), Vec::new());
    let uid = &work.object.meta.uid;
    let own = work.view.by_owner(uid).filter(|object| object.key.resource == *PODS);
    for object in own.filter(|object| object.meta.controller().is_some_and(|by| by.uid == *uid)) {
        let Some(pod) = objects::decode::<Pod>(object) else {
            continue;
        };
        if selector.matches(&object.meta) || work.object.meta.deleting {
            members.push(Member::new(object, pod));
            continue;
        }
        let rest: Vec<_> =
            pod.metadata.owner_references.iter().flatten().filter(|owner| *owner.uid != **uid).cloned().collect();
        if let Some(rest) = ownership::listed(&rest) {
            changes.push(untrack(object, &pod, json!({ "ownerReferences": rest })));
        }
    }
    if work.object.meta.deleting || super::conditions::finished(&work.status) {
        return (members, changes);
    }
    for object in work.view.by_index(POD_ORPHAN, work.namespace()) {
        if object.meta.deleting || !selector.matches(&object.meta) {
            continue;
        }
        let Some(pod) = objects::decode::<Pod>(object) else {
            continue;
        };
        let mut owners = pod.metadata.owner_references.clone().unwrap_or_default();
        owners.push(work.reference());
        let mut finalizers = pod.metadata.finalizers.clone().unwrap_or_default();
        if !is_tracked(&pod) {
            finalizers.push(TRACKING.to_owned());
        }
        let patch = json!({ "metadata": { "ownerReferences": owners, "finalizers": finalizers } });
        changes.push(ownership::patch(object, patch));
    }
    (members, changes)
}

/// A tracked pod without a job: nobody counts it, so nothing may hold it.
pub(super) fn let_go(view: &View, key: &WorkKey) -> Plan {
    let mut plan = Plan::none();
    let Some((object, pod)) = objects::get::<Pod>(view, key).filter(|(_, pod)| is_tracked(pod)) else {
        return plan;
    };
    let owner = objects::controller(&pod.metadata);
    let counted = match owner {
        // The job's own key sees to its pods; a controller of another kind knows what it does.
        Some(owner) if owner.kind == "Job" => view.by_uid(&owner.uid).is_some_and(|owner| owner.key.resource == *JOBS),
        Some(_) => true,
        // A job that selects it is about to adopt it.
        None => super::selecting(view, &object).next().is_some() && !object.meta.deleting,
    };
    if !counted {
        plan.push(untrack(&object, &pod, json!({})));
    }
    plan
}
