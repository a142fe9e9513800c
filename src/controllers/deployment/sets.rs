//! A Deployment's ReplicaSets: the new one, the old ones, and how they are scaled.

use super::{Work, numbers};
use crate::objects::{self, REPLICA_SETS};
use crate::selector::Selector;
use crate::{Action, pods};
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use raftsman_state::Object;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Label that tells the pods of one template from those of another.
pub(super) const HASH: &str = "pod-template-hash";
/// Annotation: the size of the deployment for which a ReplicaSet was scaled.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation: that size and its surge.
pub(super) const MOST: &str = "deployment.kubernetes.io/max-replicas";

/// One ReplicaSet, as the plan leaves it.
pub(super) struct Set {
    pub object: Arc<Object>,
    pub typed: Arc<ReplicaSet>,
    /// `spec.replicas`, moved by this plan.
    pub replicas: i32,
}

impl Set {
    pub fn name(&self) -> &str {
        self.object.key.name()
    }

    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.typed.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    pub fn status(&self) -> ReplicaSetStatus {
        self.typed.status.clone().unwrap_or_default()
    }

    pub fn available(&self) -> i32 {
        self.typed.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
    }

    /// A patch of the ReplicaSet. `spec.replicas` follows from what was read, so the revision is compared.
    pub fn patch(&self, patch: Value) -> Action {
        let (key, uid) = (self.object.key.clone(), self.object.meta.uid.clone());
        Action::Patch { key, uid, revision: Some(self.object.revision), patch, part: None }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Sets {
    /// The one whose template is the deployment's.
    pub new: Option<Set>,
    /// The others, oldest first.
    pub old: Vec<Set>,
}

impl Sets {
    pub fn all(&self) -> impl Iterator<Item = &Set> {
        self.new.iter().chain(&self.old)
    }

    /// Pods asked for, over all.
    pub fn replicas(&self) -> i32 {
        self.all().map(|set| set.replicas).sum()
    }

    /// Pods asked for, or still there although fewer are: a set that shrinks makes no room before its pods are told to go.
    pub fn held(&self) -> i32 {
        self.all().map(|set| set.replicas.max(set.status().replicas)).sum()
    }

    /// Pods available, over all.
    pub fn available(&self) -> i32 {
        self.all().map(Set::available).sum()
    }
}

/// Finds the deployment's ReplicaSets and what must be adopted or released first.
pub(super) fn claim(work: &Work<'_>, selector: &Selector) -> (Sets, Vec<Action>) {
    let uid = &work.object.meta.uid;
    let mut claims = Vec::new();
    let mut found: Vec<Set> = Vec::new();
    let own = work.view.by_owner(uid).filter(|object| object.key.resource == *REPLICA_SETS);
    for object in own.filter(|object| object.meta.controller().is_some_and(|by| by.uid == *uid)) {
        let Some(typed) = objects::decode::<ReplicaSet>(object) else {
            continue;
        };
        if selector.matches(&object.meta) {
            let replicas = typed.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            found.push(Set { object: object.clone(), typed, replicas });
        } else if !work.object.meta.deleting {
            claims.extend(refer(object, &typed, |all| all.retain(|owner| *owner.uid != **uid)));
        }
    }
    if !work.object.meta.deleting {
        let name = work.object.key.name();
        for object in work.view.list(&REPLICA_SETS, Some(work.object.key.namespace())) {
            let orphan = object.meta.controller().is_none() && !object.meta.deleting && selector.matches(&object.meta);
            if let Some(typed) = orphan.then(|| objects::decode::<ReplicaSet>(object)).flatten() {
                let reference = objects::controlled_by("apps/v1", "Deployment", name, uid);
                claims.extend(refer(object, &typed, |all| all.push(reference)));
            }
        }
    }
    found.sort_by_key(|set| (set.typed.metadata.creation_timestamp.as_ref().map(|time| time.0), set.name().to_owned()));
    let template = without_hash(&work.spec.template);
    let at = found.iter().position(|set| {
        let spec = set.typed.spec.as_ref().and_then(|spec| spec.template.as_ref());
        spec.is_some_and(|spec| without_hash(spec) == template)
    });
    let new = at.map(|at| found.remove(at));
    (Sets { new, old: found }, claims)
}

fn refer(
    object: &Arc<Object>,
    typed: &ReplicaSet,
    change: impl FnOnce(&mut Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference>),
) -> Option<Action> {
    let mut owners = typed.metadata.owner_references.clone().unwrap_or_default();
    change(&mut owners);
    let owners = if owners.is_empty() { Value::Null } else { serde_json::to_value(owners).ok()? };
    Some(Action::Patch {
        key: object.key.clone(),
        uid: object.meta.uid.clone(),
        revision: Some(object.revision),
        patch: json!({ "metadata": { "ownerReferences": owners } }),
        part: None,
    })
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
        labels.remove(HASH);
    }
    template
}

/// Scales one set and says so; nothing if it has that size for this size of the deployment. True if the size moves.
pub(super) fn scale(work: &mut Work<'_>, set: &mut Set, to: i32) -> bool {
    let desired = work.replicas();
    let most = desired.saturating_add(numbers::surge(work.spec));
    let annotated = set.number(DESIRED) == Some(desired) && set.number(MOST) == Some(most);
    let from = set.replicas;
    if from == to && annotated {
        return false;
    }
    let annotations = json!({ DESIRED: desired.to_string(), MOST: most.to_string() });
    let mut chain = vec![set.patch(json!({ "metadata": { "annotations": annotations }, "spec": { "replicas": to } }))];
    if from != to {
        chain.push(scaled(work, set.name(), from, to));
        set.replicas = to;
    }
    work.plan.chain(chain);
    from != to
}

/// The Event about a new size.
pub(super) fn scaled(work: &Work<'_>, name: &str, from: i32, to: i32) -> Action {
    let way = if to > from { "up" } else { "down" };
    work.event(true, "ScalingReplicaSet", format!("Scaled {way} replica set {name} from {from} to {to}"))
}

/// A pod of an old set that may still run.
pub(super) fn old_pods_run(work: &Work<'_>, sets: &Sets) -> bool {
    if sets.old.iter().any(|set| set.status().replicas > 0) {
        return true;
    }
    let pods = sets.old.iter().flat_map(|set| work.view.by_owner(&set.object.meta.uid));
    let mut pods = pods.filter(|pod| pod.key.resource == *objects::PODS);
    pods.any(|pod| objects::decode::<Pod>(pod).is_none_or(|pod| !pods::is_terminal(&pod)))
}

/// Annotations as a patch of metadata.
pub(super) fn annotations(changes: impl IntoIterator<Item = (String, Value)>) -> Value {
    json!({ "metadata": { "annotations": Map::from_iter(changes) } })
}
