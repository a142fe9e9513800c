//! What the two kinds are made of, in one form.

use crate::objects::{self, REPLICA_SETS, REPLICATION_CONTROLLERS};
use crate::selector::Selector;
use crate::{Action, Now};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{PodTemplateSpec, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use raftsman_state::{Object, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The replicas' owner.
pub(crate) struct Owner {
    pub object: Arc<Object>,
    pub names: (&'static str, &'static str),
    pub name: String,
    pub namespace: String,
    pub uid: Arc<str>,
    pub generation: Option<i64>,
    pub deleting: bool,
    pub replicas: i32,
    pub min_ready_seconds: i32,
    pub selector: Selector,
    pub template: Option<PodTemplateSpec>,
}

impl Owner {
    /// What its pods' `ownerReferences` hold.
    pub fn reference(&self) -> OwnerReference {
        objects::controlled_by(self.names.0, self.names.1, &self.name, &self.uid)
    }

    /// An Event about it.
    pub fn event(&self, good: bool, reason: &'static str, message: String) -> Action {
        objects::event(&self.object, self.names, good, reason, message)
    }

    /// Tells of what the last plan met.
    pub fn failure_event(&self, now: &Now) -> Option<Action> {
        let failure = now.failure.as_ref()?;
        let (reason, what) = match failure.verb {
            "create" => ("FailedCreate", "creating"),
            "delete" => ("FailedDelete", "deleting"),
            _ => return None,
        };
        Some(self.event(false, reason, format!("Error {what}: {}", failure.message)))
    }
}

/// A kind that keeps replicas.
pub(crate) trait Replicated: DeserializeOwned + Send + Sync + 'static {
    /// The name of its controller.
    const CONTROLLER: &'static str;
    /// Its status.
    type Status: Serialize + Clone + Default;
    /// Its resource.
    fn resource() -> &'static Resource;
    /// Its parts; `None` if they make no sense (no or a broken selector).
    fn owner(&self, object: &Arc<Object>) -> Option<Owner>;
    /// Its status.
    fn status(&self) -> &Option<Self::Status>;
    /// A status with these counts, its conditions taken from `old`, with `failure` among them or not.
    fn with(old: Self::Status, counts: &super::status::Counts) -> Self::Status;
    /// Whether an owner selects a pod.
    fn selects(owner: &Arc<Object>, pod: &Object) -> bool {
        let typed = objects::decode::<Self>(owner).and_then(|typed| typed.owner(owner));
        typed.is_some_and(|typed| typed.selector.matches(&pod.meta))
    }
}

fn owner(
    object: &Arc<Object>,
    names: (&'static str, &'static str),
    metadata: &ObjectMeta,
    (replicas, min_ready): (Option<i32>, Option<i32>),
    selector: Selector,
    template: Option<PodTemplateSpec>,
) -> Option<Owner> {
    if selector.is_empty() {
        return None;
    }
    Some(Owner {
        object: object.clone(),
        names,
        name: object.key.name().to_owned(),
        namespace: object.key.namespace().to_owned(),
        uid: object.meta.uid.clone(),
        generation: metadata.generation,
        deleting: object.meta.deleting,
        replicas: replicas.unwrap_or(1),
        min_ready_seconds: min_ready.unwrap_or(0),
        selector,
        template,
    })
}

impl Replicated for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";
    type Status = k8s_openapi::api::apps::v1::ReplicaSetStatus;

    fn resource() -> &'static Resource {
        &REPLICA_SETS
    }

    fn owner(&self, object: &Arc<Object>) -> Option<Owner> {
        let spec = self.spec.as_ref()?;
        let numbers = (spec.replicas, spec.min_ready_seconds);
        let selector = Selector::of(&spec.selector)?;
        owner(object, ("apps/v1", "ReplicaSet"), &self.metadata, numbers, selector, spec.template.clone())
    }

    fn status(&self) -> &Option<Self::Status> {
        &self.status
    }

    fn with(old: Self::Status, counts: &super::status::Counts) -> Self::Status {
        Self::Status {
            replicas: counts.replicas,
            fully_labeled_replicas: counts.some(counts.fully_labeled),
            ready_replicas: counts.some(counts.ready),
            available_replicas: counts.some(counts.available),
            terminating_replicas: Some(counts.terminating),
            observed_generation: counts.generation,
            conditions: counts.conditions(old.conditions),
        }
    }
}

impl Replicated for ReplicationController {
    const CONTROLLER: &'static str = "replication-controller";
    type Status = k8s_openapi::api::core::v1::ReplicationControllerStatus;

    fn resource() -> &'static Resource {
        &REPLICATION_CONTROLLERS
    }

    fn owner(&self, object: &Arc<Object>) -> Option<Owner> {
        let spec = self.spec.as_ref()?;
        let template = spec.template.clone();
        let labels = template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.clone());
        let selector = spec.selector.clone().filter(|selector| !selector.is_empty()).or(labels)?;
        let numbers = (spec.replicas, spec.min_ready_seconds);
        let names = ("v1", "ReplicationController");
        owner(object, names, &self.metadata, numbers, Selector::of_map(&selector), template)
    }

    fn status(&self) -> &Option<Self::Status> {
        &self.status
    }

    fn with(old: Self::Status, counts: &super::status::Counts) -> Self::Status {
        Self::Status {
            replicas: counts.replicas,
            fully_labeled_replicas: counts.some(counts.fully_labeled),
            ready_replicas: counts.some(counts.ready),
            available_replicas: counts.some(counts.available),
            observed_generation: counts.generation,
            conditions: counts.conditions(old.conditions),
        }
    }
}
