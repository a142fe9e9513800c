//! The status of a Deployment.

use super::conditions::{self, NEW_AVAILABLE, PROGRESSING, TIMED_OUT};
use super::{Sets, Work, numbers};
use crate::patch;
use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use std::time::Duration;

fn some(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// Counts and the condition `Available`; other conditions as they are.
fn calculate(work: &Work<'_>, all: &Sets) -> DeploymentStatus {
    let old = work.deployment.status.clone().unwrap_or_default();
    let available = all.available();
    let mut status = DeploymentStatus {
        observed_generation: work.deployment.metadata.generation,
        replicas: some(all.all().map(|set| set.status().replicas).sum()),
        updated_replicas: some(all.new.as_ref().map_or(0, |new| new.status().replicas)),
        ready_replicas: some(all.all().filter_map(|set| set.status().ready_replicas).sum()),
        available_replicas: some(available),
        unavailable_replicas: some((all.replicas() - available).max(0)),
        terminating_replicas: Some(all.all().filter_map(|set| set.status().terminating_replicas).sum()),
        collision_count: old.collision_count,
        conditions: old.conditions,
    };
    let (value, reason, message) = if available >= work.replicas() - numbers::unavailable(work.spec) {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    conditions::set(&mut status, "Available", value, reason, message.to_owned(), Time(work.now.time));
    status
}

/// Every pod is of the new template and available, and there are no others.
fn complete(work: &Work<'_>, status: &DeploymentStatus) -> bool {
    let desired = some(work.replicas());
    status.updated_replicas == desired
        && status.replicas == desired
        && status.available_replicas == desired
        && status.observed_generation >= work.deployment.metadata.generation
}

pub(super) fn is_complete(work: &Work<'_>, all: &Sets) -> bool {
    complete(work, &work.deployment.status.clone().unwrap_or_default()) && complete(work, &calculate(work, all))
}

/// Brings the status up to date; `progress` judges the rollout too.
pub(super) fn sync(work: &mut Work<'_>, all: &Sets, progress: bool) {
    // A condition that an earlier step of this plan writes must not be overwritten by one that does not know of it.
    let own = |action: &crate::Action| *action.key() == work.object.key && action.verb() == "patch";
    if work.plan.actions().any(|action| own(action) && action.to_string().contains("/status")) {
        return;
    }
    let mut status = calculate(work, all);
    if progress {
        judge(work, all, &mut status);
    }
    if let Some(patch) = patch::status(&work.deployment.status, &status) {
        let patch = work.patch(patch, Some(Subresource::Status));
        work.plan.push(patch);
    }
}

fn judge(work: &mut Work<'_>, all: &Sets, status: &mut DeploymentStatus) {
    let time = Time(work.now.time);
    let old = work.deployment.status.clone().unwrap_or_default();
    let current = conditions::get(&old, PROGRESSING).cloned();
    if !conditions::has_deadline(work) {
        conditions::remove(status, PROGRESSING);
    }
    let settled = status.replicas == status.updated_replicas
        && current.as_ref().is_some_and(|current| current.reason.as_deref() == Some(NEW_AVAILABLE));
    if conditions::has_deadline(work) && !settled {
        let subject = match &all.new {
            Some(new) => format!("ReplicaSet \"{}\"", new.name()),
            None => format!("Deployment \"{}\"", work.object.key.name()),
        };
        if complete(work, status) {
            let message = format!("{subject} has successfully progressed.");
            conditions::set(status, PROGRESSING, "True", NEW_AVAILABLE, message, time);
        } else if progressed(&old, status) {
            let since = current.as_ref().filter(|current| current.status == "True");
            let since = since.and_then(|current| current.last_transition_time.clone());
            conditions::remove(status, PROGRESSING);
            status.conditions.get_or_insert_default().push(DeploymentCondition {
                type_: PROGRESSING.to_owned(),
                status: "True".to_owned(),
                reason: Some("ReplicaSetUpdated".to_owned()),
                message: Some(format!("{subject} is progressing.")),
                last_transition_time: Some(since.unwrap_or_else(|| time.clone())),
                last_update_time: Some(time),
            });
        } else {
            match left(work, current.as_ref()) {
                Some(Duration::ZERO) => {
                    let message = format!("{subject} has timed out progressing.");
                    conditions::set(status, PROGRESSING, "False", TIMED_OUT, message, time);
                }
                Some(left) => work.plan.requeue(left),
                None => {}
            }
        }
    }
    replica_failure(all, status);
    if status.conditions.as_ref().is_some_and(Vec::is_empty) {
        status.conditions = None;
    }
}

/// Something moved in the right direction since the last status.
fn progressed(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || outdated(new) < outdated(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

/// Time until the progress deadline; zero when it has passed, `None` if it does not run.
fn left(work: &Work<'_>, current: Option<&DeploymentCondition>) -> Option<Duration> {
    let current = current?;
    if current.reason.as_deref() == Some(TIMED_OUT) {
        return Some(Duration::ZERO);
    }
    if matches!(current.reason.as_deref(), Some(NEW_AVAILABLE | "DeploymentPaused")) {
        return None;
    }
    let since = current.last_update_time.as_ref()?.0;
    let deadline = Duration::from_secs(work.spec.progress_deadline_seconds?.max(0).unsigned_abs().into());
    Some(deadline.saturating_sub(work.now.since(since)))
}

/// Carries up what keeps a ReplicaSet from having its pods.
fn replica_failure(all: &Sets, status: &mut DeploymentStatus) {
    let failed = all.all().find_map(|set| {
        let status = set.typed.status.as_ref()?;
        status.conditions.iter().flatten().find(|condition| condition.type_ == "ReplicaFailure").cloned()
    });
    match failed {
        None => conditions::remove(status, "ReplicaFailure"),
        Some(failed) => {
            let same = |old: &&DeploymentCondition| old.reason == failed.reason && old.message == failed.message;
            if conditions::get(status, "ReplicaFailure").filter(same).is_none() {
                conditions::remove(status, "ReplicaFailure");
                status.conditions.get_or_insert_default().push(DeploymentCondition {
                    type_: failed.type_,
                    status: failed.status,
                    reason: failed.reason,
                    message: failed.message,
                    last_update_time: failed.last_transition_time.clone(),
                    last_transition_time: failed.last_transition_time,
                });
            }
        }
    }
}
