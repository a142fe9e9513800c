//! The templates that a set has had (`apps/v1 ControllerRevision`), and which of them counts.

use super::members::Member;
use super::{Work, identity};
use crate::objects::{self, CONTROLLER_REVISIONS};
use crate::selector::Selector;
use crate::{Action, Key, Propagation, ownership};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use raftsman_api::kind::Subresource;
use raftsman_api::names;
use raftsman_state::Object;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Label: the hash of the data, as upstream writes it.
const HASH: &str = "controller.kubernetes.io/hash";

/// A stored revision.
pub(super) struct Revision {
    object: Arc<Object>,
    typed: Arc<ControllerRevision>,
}

impl Revision {
    pub fn name(&self) -> &str {
        self.object.key.name()
    }

    fn data(&self) -> Option<&Value> {
        self.typed.data.as_ref().map(|data| &data.0)
    }

    /// The pod template that it holds.
    pub fn template(&self) -> Option<PodTemplateSpec> {
        let mut template = self.data()?.get("spec")?.get("template")?.clone();
        template.as_object_mut()?.remove("$patch");
        serde_json::from_value(template).ok()
    }
}

/// All revisions, oldest first, and which two of them pods may be of.
pub(super) struct Revisions {
    all: Vec<Revision>,
    current: usize,
    update: usize,
}

impl Revisions {
    /// What pods are made of where the update has not come to.
    pub fn current(&self) -> &Revision {
        &self.all[self.current]
    }

    /// What the set says now.
    pub fn update(&self) -> &Revision {
        &self.all[self.update]
    }
}

/// The set's revisions, and the adoptions to carry out.
pub(super) fn claim(work: &Work<'_>, selector: &Selector) -> (Vec<Revision>, Vec<Action>) {
    let uid = &work.object.meta.uid;
    let (mut own, mut changes) = (Vec::new(), Vec::new());
    for object in work.view.list(&CONTROLLER_REVISIONS, Some(work.namespace())) {
        match object.meta.controller() {
            Some(by) if by.uid == *uid => {
                own.extend(objects::decode(object).map(|typed| Revision { object: object.clone(), typed }));
            }
            None if !work.object.meta.deleting && !object.meta.deleting && selector.matches(&object.meta) => {
                let typed = objects::decode::<ControllerRevision>(object);
                let adopt = typed.and_then(|typed| ownership::adopt(object, &typed.metadata, work.reference()));
                changes.extend(adopt);
            }
            _ => {}
        }
    }
    own.sort_by(|a, b| (a.typed.revision, a.name()).cmp(&(b.typed.revision, b.name())));
    (own, changes)
}

/// What a revision keeps of the set: a strategic merge patch that replaces the template, which `kubectl rollout undo` sends
/// as it is.
fn data(work: &Work<'_>) -> Option<Value> {
    let mut template = serde_json::to_value(&work.spec.template).ok()?;
    template.as_object_mut()?.insert("$patch".to_owned(), "replace".into());
    Some(json!({ "spec": { "template": template } }))
}

/// Finds the two revisions that count. `None`: one is being made or moved, and the plan that follows sees it.
pub(super) fn resolve(work: &mut Work<'_>, all: Vec<Revision>) -> Option<Revisions> {
    let data = data(work)?;
    let newest = all.last().map_or(0, |last| last.typed.revision);
    let Some(update) = all.iter().rposition(|revision| revision.data() == Some(&data)) else {
        make(work, data, newest.saturating_add(1));
        return None;
    };
    if update + 1 < all.len() {
        // An older template is wanted again: it becomes the newest.
        let patch = json!({ "revision": newest.saturating_add(1) });
        work.plan.push(ownership::patch(&all[update].object, patch));
        return None;
    }
    let known = work.set.status.as_ref().and_then(|status| status.current_revision.as_deref());
    let current = all.iter().position(|revision| Some(revision.name()) == known).unwrap_or(update);
    Some(Revisions { all, current, update })
}

fn make(work: &mut Work<'_>, data: Value, number: i64) {
    if work.object.meta.deleting {
        return;
    }
    let collisions = work.set.status.as_ref().and_then(|status| status.collision_count);
    let hash = names::template_hash(&data, collisions.filter(|count| *count > 0).map(i64::from));
    let key = Key::new(&CONTROLLER_REVISIONS, work.namespace(), &format!("{}-{hash}", work.name()));
    if work.view.get(&key).is_some() {
        // Another template has this hash, or somebody else this name.
        let patch = json!({ "status": { "collisionCount": collisions.unwrap_or(0).saturating_add(1) } });
        let (key, uid) = (work.object.key.clone(), work.object.meta.uid.clone());
        let revision = Some(work.object.revision);
        let part = Some(Subresource::Status);
        return work.plan.push(Action::Patch { key, uid, revision, patch, part });
    }
    let mut made = ControllerRevision { revision: number, data: Some(RawExtension(data)), ..Default::default() };
    let metadata = work.spec.template.metadata.as_ref();
    let mut labels = metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    labels.insert(HASH.to_owned(), hash);
    made.metadata.name = Some(key.name().to_owned());
    made.metadata.namespace = Some(key.namespace().to_owned());
    made.metadata.labels = Some(labels);
    made.metadata.annotations = work.set.metadata.annotations.clone();
    made.metadata.owner_references = Some(vec![work.reference()]);
    if let Ok(object) = serde_json::to_value(&made) {
        work.plan.push(Action::Create { key, object });
    }
}

/// Deletes revisions that no pod is of, beyond `revisionHistoryLimit`, oldest first.
pub(super) fn truncate<'a>(work: &mut Work<'_>, revisions: &Revisions, members: impl Iterator<Item = &'a Member>) {
    let mut live: BTreeSet<&str> = members.map(Member::revision).collect();
    live.extend([revisions.current().name(), revisions.update().name()]);
    let dead: Vec<&Revision> = revisions.all.iter().filter(|revision| !live.contains(revision.name())).collect();
    let limit = usize::try_from(work.spec.revision_history_limit.unwrap_or(10)).unwrap_or(0);
    for revision in dead.iter().take(dead.len().saturating_sub(limit)) {
        if !revision.object.meta.deleting {
            work.plan.push(Action::Delete {
                key: revision.object.key.clone(),
                uid: revision.object.meta.uid.clone(),
                revision: Some(revision.object.revision),
                grace: None,
                propagation: Some(Propagation::Background),
            });
        }
    }
}

/// The revision that a new pod of an ordinal is made of: below the partition the current one.
pub(super) fn of_new<'a>(work: &Work<'_>, revisions: &'a Revisions, ordinal: i32) -> &'a Revision {
    let strategy = work.spec.update_strategy.as_ref();
    let rolling = strategy.is_none_or(|strategy| strategy.type_.as_deref() != Some("OnDelete"));
    let partition = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition).unwrap_or(0);
    if rolling && ordinal - work.start() < partition { revisions.current() } else { revisions.update() }
}

/// The pod of an ordinal.
pub(super) fn new_pod(work: &Work<'_>, revisions: &Revisions, ordinal: i32) -> Option<Value> {
    let revision = of_new(work, revisions, ordinal);
    identity::pod(work, &revision.template()?, revision.name(), ordinal)
}
