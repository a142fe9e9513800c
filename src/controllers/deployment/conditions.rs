//! Conditions that come with single steps of a Deployment.

use super::Work;
use crate::{Action, patch};
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;

pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub(super) const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";

/// A progress deadline that says "never" (upstream's marker).
const NO_DEADLINE: i32 = i32::MAX;

pub(super) fn has_deadline(work: &Work<'_>) -> bool {
    work.spec.progress_deadline_seconds.is_some_and(|seconds| seconds != NO_DEADLINE)
}

pub(super) fn get<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

pub(super) fn remove(status: &mut DeploymentStatus, kind: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|condition| condition.type_ != kind);
    }
}

/// Sets a condition unless it stands there with this status and reason.
pub(super) fn set(status: &mut DeploymentStatus, kind: &str, value: &str, reason: &str, message: String, now: Time) {
    let old = get(status, kind).cloned();
    if old.as_ref().is_some_and(|old| old.status == value && old.reason.as_deref() == Some(reason)) {
        return;
    }
    let since = old.filter(|old| old.status == value).and_then(|old| old.last_transition_time);
    remove(status, kind);
    status.conditions.get_or_insert_default().push(DeploymentCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(since.unwrap_or_else(|| now.clone())),
        last_update_time: Some(now),
    });
}

/// A status patch that sets one value of `Progressing`.
fn progressing(work: &Work<'_>, value: &str, reason: &str, message: String) -> Option<Action> {
    let mut status = work.deployment.status.clone().unwrap_or_default();
    set(&mut status, PROGRESSING, value, reason, message, Time(work.now.time));
    Some(work.patch(patch::status(&work.deployment.status, &status)?, Some(Subresource::Status)))
}

/// Notes that the deployment was paused or resumed, so that the deadline does not count the pause. True if it did.
pub(super) fn pause_changed(work: &mut Work<'_>, paused: bool) -> bool {
    if !has_deadline(work) {
        return false;
    }
    let reason = work.deployment.status.as_ref().and_then(|status| get(status, PROGRESSING)?.reason.as_deref());
    let action = match reason {
        Some(TIMED_OUT) => None,
        Some(PAUSED) if !paused => progressing(work, "Unknown", RESUMED, "Deployment is resumed".to_owned()),
        Some(PAUSED) => None,
        _ if paused => progressing(work, "Unknown", PAUSED, "Deployment is paused".to_owned()),
        _ => None,
    };
    let changed = action.is_some();
    work.plan.chain(action.into_iter().collect());
    changed
}

/// The new ReplicaSet was there before anything was known of progress. False if the plan must be made again.
pub(super) fn found(work: &mut Work<'_>, set: &str) -> bool {
    let known = work.deployment.status.as_ref().is_some_and(|status| get(status, PROGRESSING).is_some());
    if known || !has_deadline(work) {
        return true;
    }
    let action = progressing(work, "True", "FoundNewReplicaSet", format!("Found new replica set \"{set}\""));
    work.plan.chain(action.into_iter().collect());
    false
}

/// The new ReplicaSet has been made.
pub(super) fn created(work: &Work<'_>, set: &str) -> Option<Action> {
    has_deadline(work)
        .then(|| progressing(work, "True", "NewReplicaSetCreated", format!("Created new replica set \"{set}\"")))
        .flatten()
}

/// The last plan's ReplicaSet was refused.
pub(super) fn refused(work: &mut Work<'_>) {
    let Some(failure) = work.now.failure.clone().filter(|failure| failure.verb == "create") else {
        return;
    };
    let mut chain = Vec::new();
    if has_deadline(work) {
        chain.extend(progressing(work, "False", "ReplicaSetCreateError", failure.message.clone()));
    }
    chain.push(work.event(
        false,
        "ReplicaSetCreateError",
        format!("Failed to create new replica set: {}", failure.message),
    ));
    work.plan.chain(chain);
}
