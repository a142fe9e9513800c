//! `apps/v1 StatefulSet`: pods with names, hostnames and volumes of their own, made and ended in order.
//!
//! A pod's name is its identity, and a name is free only when its object is gone: who removes the object of a pod says
//! that the pod has ended (see [`crate::fencing`]).

mod claims;
#[cfg(test)]
mod claims_tests;
mod control;
mod identity;
mod members;
#[cfg(test)]
mod model_tests;
mod revisions;
mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use crate::objects::{self, CLAIMS, CONTROLLER_REVISIONS, PODS, STATEFUL_SETS};
use crate::selector::Selector;
use crate::{Action, Controller, Key, Now, Plan, WorkKey};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use raftsman_state::{Change, Object, View};
use std::sync::Arc;

/// The controller of StatefulSets.
pub struct StatefulSets;

/// Everything one plan looks at and adds to.
struct Work<'a> {
    view: &'a View,
    now: &'a Now,
    object: Arc<Object>,
    set: Arc<StatefulSet>,
    spec: &'a StatefulSetSpec,
    plan: Plan,
}

impl Work<'_> {
    fn name(&self) -> &str {
        self.object.key.name()
    }

    fn namespace(&self) -> &str {
        self.object.key.namespace()
    }

    fn pod_key(&self, name: &str) -> Key {
        Key::new(&PODS, self.namespace(), name)
    }

    fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1).max(0)
    }

    /// The first ordinal (`spec.ordinals.start`).
    fn start(&self) -> i32 {
        self.spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0)
    }

    fn in_range(&self, ordinal: i32) -> bool {
        ordinal >= self.start() && ordinal - self.start() < self.replicas()
    }

    /// One after the other, each available before the next (`OrderedReady`).
    fn is_ordered(&self) -> bool {
        self.spec.pod_management_policy.as_deref() != Some("Parallel")
    }

    fn reference(&self) -> OwnerReference {
        objects::controlled_by("apps/v1", "StatefulSet", self.name(), &self.object.meta.uid)
    }

    fn event(&self, good: bool, reason: &'static str, message: String) -> Action {
        objects::event(&self.object, ("apps/v1", "StatefulSet"), good, reason, message)
    }
}

fn owner_key(view: &View, object: &Object) -> Option<WorkKey> {
    let owner = view.by_uid(&object.meta.controller()?.uid)?;
    (owner.key.resource == *STATEFUL_SETS).then(|| owner.key.clone())
}

/// Sets of the namespace whose selector fits.
fn selecting<'a>(view: &'a View, object: &'a Object) -> impl Iterator<Item = WorkKey> + 'a {
    let sets = view.list(&STATEFUL_SETS, Some(object.key.namespace()));
    sets.filter(|set| {
        let typed = objects::decode::<StatefulSet>(set);
        typed.and_then(|typed| selector(&typed)).is_some_and(|selector| selector.matches(&object.meta))
    })
    .map(|set| set.key.clone())
}

fn selector(set: &StatefulSet) -> Option<Selector> {
    Selector::of(&set.spec.as_ref()?.selector).filter(|selector| !selector.is_empty())
}

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let resource = &change.key().resource;
        if *resource == *STATEFUL_SETS {
            return if change.deleted { Vec::new() } else { vec![change.key().clone()] };
        }
        let mut keys: Vec<WorkKey> = Vec::new();
        if *resource == *PODS || *resource == *CONTROLLER_REVISIONS {
            for object in change.previous.iter().chain([&change.object]) {
                if object.meta.controller().is_some() {
                    keys.extend(owner_key(view, object));
                } else if !change.deleted {
                    keys.extend(selecting(view, object));
                }
            }
            if change.deleted && *resource == *PODS {
                // A name that a stranger held may be what a set waits for.
                let (name, namespace) = (change.key().name(), change.key().namespace());
                let parent = identity::split(name).map(|(parent, _)| Key::new(&STATEFUL_SETS, namespace, parent));
                keys.extend(parent.filter(|parent| view.get(parent).is_some()));
            }
        } else if *resource == *CLAIMS
            && (change.deleted
                || change.previous.as_ref().is_some_and(|was| was.meta.owners != change.object.meta.owners))
        {
            // A stale claim holds its pod back until it is gone or kept for good.
            keys.extend(selecting(view, &change.object));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &STATEFUL_SETS)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let Some((object, set)) = objects::get::<StatefulSet>(view, key) else {
            return Plan::none();
        };
        let held = set.clone();
        let (Some(spec), Some(selector)) = (&held.spec, selector(&held)) else {
            return Plan::none();
        };
        let mut work = Work { view, now, object, set, spec, plan: Plan::none() };
        plan(&mut work, &selector);
        work.plan
    }
}

fn plan(work: &mut Work<'_>, selector: &Selector) {
    if let Some(failure) = &work.now.failure {
        let what = if failure.verb == "delete" { "FailedDelete" } else { "FailedCreate" };
        let told = work.event(false, what, format!("{} failed error: {}", failure.verb, failure.message));
        work.plan.push(told);
    }
    let (members, claiming) = members::claim(work, selector);
    let (revisions, adopting) = revisions::claim(work, selector);
    if !claiming.is_empty() || !adopting.is_empty() {
        // What these change is counted by the plan that follows them.
        claiming.into_iter().chain(adopting).for_each(|change| work.plan.push(change));
        return;
    }
    let Some(revisions) = revisions::resolve(work, revisions) else {
        return;
    };
    let (replicas, condemned) = members::sort(work, members);
    if !work.object.meta.deleting {
        control::manage(work, &revisions, &replicas, &condemned);
        revisions::truncate(work, &revisions, replicas.iter().flatten().chain(&condemned));
    }
    status::sync(work, &revisions, replicas.iter().flatten().chain(&condemned));
    for member in replicas.iter().flatten().chain(&condemned) {
        if let Err(left) = member.available(work) {
            work.plan.requeue(left);
        }
    }
}
