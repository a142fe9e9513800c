//! The claims of a set's pods: made before them, kept after them unless the retention policy says otherwise (KEP-1847).

use super::{Work, identity};
use crate::objects::{self, CLAIMS};
use crate::{Action, Key, ownership};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use raftsman_state::Object;
use std::sync::Arc;

type Claim = (Arc<Object>, Arc<PersistentVolumeClaim>);

fn key(work: &Work<'_>, template: &PersistentVolumeClaim, ordinal: i32) -> Key {
    Key::new(&CLAIMS, work.namespace(), &identity::claim_name(work, template, ordinal))
}

fn held(work: &Work<'_>, ordinal: i32) -> Vec<Claim> {
    let templates = work.spec.volume_claim_templates.iter().flatten();
    templates.filter_map(|template| objects::get(work.view, &key(work, template, ordinal))).collect()
}

/// An ordinal's claim is on its way out: with it the pod would lose its data half-way.
pub(super) fn are_stale(work: &Work<'_>, ordinal: i32) -> bool {
    let name = identity::pod_name(work, ordinal);
    held(work, ordinal).iter().any(|(object, claim)| {
        // Owned by a former pod of this name: the garbage collector is about to take it.
        let mut owners = claim.metadata.owner_references.iter().flatten();
        object.meta.deleting || owners.any(|owner| owner.kind == "Pod" && owner.name == name)
    })
}

/// Makes the claims that an ordinal lacks, in the order of their templates.
pub(super) fn missing(work: &Work<'_>, ordinal: i32) -> Vec<Action> {
    let mut actions = Vec::new();
    for template in work.spec.volume_claim_templates.iter().flatten() {
        let key = key(work, template, ordinal);
        if work.view.get(&key).is_some() {
            continue;
        }
        let mut claim = template.clone();
        claim.status = None;
        claim.metadata.name = Some(key.name().to_owned());
        claim.metadata.namespace = Some(key.namespace().to_owned());
        let labels = claim.metadata.labels.get_or_insert_default();
        labels
            .extend(work.spec.selector.match_labels.iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        let owners = owners(work, ordinal, &[], None);
        claim.metadata.owner_references = (!owners.is_empty()).then_some(owners);
        let Ok(object) = serde_json::to_value(&claim) else {
            continue;
        };
        let (claim, pod) = (key.name().to_owned(), identity::pod_name(work, ordinal));
        let told = format!("create Claim {claim} Pod {pod} in StatefulSet {} success", work.name());
        actions.push(Action::Create { key, object });
        actions.push(work.event(true, "SuccessfulCreate", told));
    }
    actions
}

/// Brings the owners of a pod's claims in line with the retention policy.
pub(super) fn own(work: &Work<'_>, ordinal: i32, pod: &Object) -> Vec<Action> {
    let condemned = (!work.in_range(ordinal)).then_some(pod);
    let mut changes = Vec::new();
    for (object, claim) in held(work, ordinal) {
        let present = claim.metadata.owner_references.as_deref().unwrap_or_default();
        let wanted = owners(work, ordinal, present, condemned);
        if wanted != present && !object.meta.deleting {
            changes.extend(ownership::set_owners(&object, &wanted));
        }
    }
    changes
}

/// The owners that a claim should have; `condemned` is its pod if that is beyond the range.
fn owners(
    work: &Work<'_>,
    ordinal: i32,
    present: &[OwnerReference],
    condemned: Option<&Object>,
) -> Vec<OwnerReference> {
    let policy = work.spec.persistent_volume_claim_retention_policy.as_ref();
    let deletes = |when: Option<&String>| when.is_some_and(|when| when == "Delete");
    let when_deleted = deletes(policy.and_then(|policy| policy.when_deleted.as_ref()));
    let when_scaled = deletes(policy.and_then(|policy| policy.when_scaled.as_ref()));
    let by_pod = condemned.filter(|_| when_scaled);
    let by_set = when_deleted && by_pod.is_none();
    let set = &work.object.meta.uid;
    let pod = identity::pod_name(work, ordinal);
    let ours = |owner: &OwnerReference| *owner.uid == **set || (owner.kind == "Pod" && owner.name == pod);
    let mut wanted: Vec<OwnerReference> = present.iter().filter(|owner| !ours(owner)).cloned().collect();
    // One that is there stays where it is, and as it is.
    let mut add = |owner: OwnerReference| {
        let there = present.iter().find(|there| there.uid == owner.uid).cloned();
        wanted.push(there.unwrap_or(owner));
    };
    if by_set {
        add(work.reference());
    }
    if let Some(pod) = by_pod {
        let mut owner = objects::controlled_by("v1", "Pod", pod.key.name(), &pod.meta.uid);
        owner.controller = None;
        owner.block_owner_deletion = None;
        add(owner);
    }
    let mut same = wanted.clone();
    let mut before = present.to_vec();
    same.sort_by(|a, b| a.uid.cmp(&b.uid));
    before.sort_by(|a, b| a.uid.cmp(&b.uid));
    if same == before { present.to_vec() } else { wanted }
}

/// A pod mounts the claims of its ordinal.
pub(super) fn mounted(work: &Work<'_>, pod: &Pod, ordinal: i32) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    work.spec.volume_claim_templates.iter().flatten().all(|template| {
        let name = identity::claim_name(work, template, ordinal);
        let claims = volumes.iter().filter(|volume| Some(&volume.name) == template.metadata.name.as_ref());
        claims.filter_map(|volume| volume.persistent_volume_claim.as_ref()).any(|claim| claim.claim_name == name)
    })
}
