//! The set's status.

use super::Work;
use super::members::Member;
use super::revisions::Revisions;
use crate::{Action, patch};
use k8s_openapi::api::apps::v1::StatefulSetStatus;
use raftsman_api::kind::Subresource;

/// Brings the status up to date; when every pod is of the new revision, that becomes the current one.
pub(super) fn sync<'a>(work: &mut Work<'_>, revisions: &Revisions, members: impl Iterator<Item = &'a Member>) {
    let (current, update) = (revisions.current().name(), revisions.update().name());
    let old = work.set.status.clone().unwrap_or_default();
    let mut status = StatefulSetStatus {
        observed_generation: work.set.metadata.generation,
        current_revision: Some(current.to_owned()),
        update_revision: Some(update.to_owned()),
        collision_count: Some(old.collision_count.unwrap_or(0)),
        conditions: old.conditions,
        ..StatefulSetStatus::default()
    };
    let (mut ready, mut available, mut of_current, mut of_update) = (0, 0, 0, 0);
    for member in members {
        status.replicas += 1;
        ready += i32::from(member.is_ready());
        available += i32::from(member.is_available(work));
        if !member.is_terminating() {
            of_current += i32::from(member.revision() == current);
            of_update += i32::from(member.revision() == update);
        }
    }
    let wanted = work.replicas();
    let on_delete =
        work.spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete");
    if !on_delete && [of_update, ready, status.replicas].iter().all(|count| *count == wanted) {
        of_current = of_update;
        status.current_revision = Some(update.to_owned());
    }
    let some = |count: i32| (count > 0).then_some(count);
    status.ready_replicas = some(ready);
    status.available_replicas = Some(available);
    status.current_replicas = some(of_current);
    status.updated_replicas = some(of_update);
    if let Some(patch) = patch::status(&work.set.status, &status) {
        let (key, uid) = (work.object.key.clone(), work.object.meta.uid.clone());
        let (revision, part) = (Some(work.object.revision), Some(Subresource::Status));
        work.plan.push(Action::Patch { key, uid, revision, patch, part });
    }
}
