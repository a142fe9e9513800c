//! Keeping so many pods of a template: what ReplicationController and ReplicaSet have in common.

mod claim;
mod owner;
mod rank;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use owner::Owner;

use crate::objects::{self, PODS};
use crate::{Action, Controller, Now, Plan, Propagation, WorkKey, pods};
use claim::Claimed;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use owner::Replicated;
use raftsman_state::{Change, Object, View};
use serde_json::Value;
use std::marker::PhantomData;
use std::sync::Arc;

/// Pods made or deleted by one plan at most (upstream `BurstReplicas`).
const BURST: usize = 500;

/// A pod with the object that holds it.
pub(crate) type PodObject = (Arc<Object>, Arc<Pod>);

/// The controller of one kind.
pub struct Replicas<T>(PhantomData<fn() -> T>);

impl Replicas<ReplicaSet> {
    /// Keeps ReplicaSets.
    pub fn replica_sets() -> Self {
        Self(PhantomData)
    }
}

impl Replicas<ReplicationController> {
    /// Keeps ReplicationControllers.
    pub fn replication_controllers() -> Self {
        Self(PhantomData)
    }
}

impl<T: Replicated> Replicas<T> {
    /// The owner that a pod names as its controller, if it is of this kind.
    fn owner_of(view: &View, pod: &Object) -> Option<WorkKey> {
        let owner = view.by_uid(&pod.meta.controller()?.uid)?;
        (owner.key.resource == *T::resource()).then(|| owner.key.clone())
    }
}

impl<T: Replicated> Controller for Replicas<T> {
    fn name(&self) -> &'static str {
        T::CONTROLLER
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let resource = &change.key().resource;
        if *resource == *T::resource() {
            return if change.deleted { Vec::new() } else { vec![change.key().clone()] };
        }
        if *resource != *PODS {
            return Vec::new();
        }
        let mut keys: Vec<WorkKey> = Vec::new();
        for pod in change.previous.iter().chain([&change.object]) {
            if pod.meta.controller().is_some() {
                keys.extend(Self::owner_of(view, pod));
            } else if !change.deleted {
                // An orphan: whoever selects it may adopt it.
                let owners = view.list(T::resource(), Some(pod.key.namespace()));
                keys.extend(owners.filter(|owner| T::selects(owner, pod)).map(|owner| owner.key.clone()));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, T::resource())
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let Some((object, typed)) = objects::get::<T>(view, key) else {
            return Plan::none();
        };
        let Some(owner) = typed.owner(&object) else {
            return Plan::none();
        };
        let mut plan = Plan::none();
        let Claimed { mut active, terminating, changes } = claim::claim(view, &owner);
        // Adoptions and releases first; what they change is counted by the plan that follows them.
        let claiming = !changes.is_empty();
        changes.into_iter().for_each(|change| plan.push(change));
        if !owner.deleting && !claiming {
            manage(&mut plan, view, &owner, &mut active, now);
        }
        let (patch, delay) = status::patch(typed.as_ref(), &owner, &active, terminating, now);
        if let Some(patch) = patch {
            plan.push(Action::Patch {
                key: key.clone(),
                uid: object.meta.uid.clone(),
                revision: None,
                patch,
                part: Some(raftsman_api::kind::Subresource::Status),
            });
        }
        if let Some(failed) = owner.failure_event(now) {
            plan.push(failed);
        }
        if let Some(delay) = delay {
            plan.requeue(delay);
        }
        plan
    }
}

/// Makes missing pods, deletes those too many.
fn manage(plan: &mut Plan, view: &View, owner: &Owner, active: &mut [PodObject], now: &Now) {
    let wanted = usize::try_from(owner.replicas).unwrap_or(0);
    if active.len() < wanted {
        let missing = (wanted - active.len()).min(BURST);
        let mut salt = 0;
        for _ in 0..missing {
            // A name that is taken would only cost a turn, but the View shows it already.
            let (name, key) = loop {
                let name = now.name(&format!("{}-", owner.name), salt);
                let key = crate::Key::new(&PODS, &owner.namespace, &name);
                salt += 1;
                if view.get(&key).is_none() {
                    break (name, key);
                }
            };
            let Some(object) = pod(owner, &name) else {
                return;
            };
            plan.gradually(vec![
                Action::Create { key, object },
                owner.event(true, "SuccessfulCreate", format!("Created pod: {name}")),
            ]);
        }
    } else if active.len() > wanted {
        rank::sort(view, owner, active, now);
        for (object, _) in active.iter().take((active.len() - wanted).min(BURST)) {
            plan.chain(vec![
                Action::Delete {
                    key: object.key.clone(),
                    uid: object.meta.uid.clone(),
                    revision: None,
                    grace: None,
                    propagation: Some(Propagation::Background),
                },
                owner.event(true, "SuccessfulDelete", format!("Deleted pod: {}", object.key.name())),
            ]);
        }
    }
}

/// A pod of the owner's template.
fn pod(owner: &Owner, name: &str) -> Option<Value> {
    let template = owner.template.as_ref()?;
    let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
    if let Some(metadata) = &template.metadata {
        pod.metadata.labels = metadata.labels.clone();
        pod.metadata.annotations = metadata.annotations.clone();
        pod.metadata.finalizers = metadata.finalizers.clone();
    }
    pod.metadata.name = Some(name.to_owned());
    pod.metadata.generate_name = Some(format!("{}-", owner.name));
    pod.metadata.namespace = Some(owner.namespace.clone());
    pod.metadata.owner_references = Some(vec![owner.reference()]);
    serde_json::to_value(&pod).ok()
}

/// Whether a pod is one of the owner's replicas by its state.
fn is_replica(pod: &Pod) -> bool {
    pods::is_active(pod)
}
