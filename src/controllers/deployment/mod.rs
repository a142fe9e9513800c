//! `apps/v1 Deployment`: replaces pods of one template by those of another through ReplicaSets.

mod conditions;
mod numbers;
mod revisions;
mod rollout;
mod scale;
mod sets;
mod status;
#[cfg(test)]
mod tests;

use crate::objects::{self, DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::selector::Selector;
use crate::{Action, Controller, Now, Plan, WorkKey};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use raftsman_api::kind::Subresource;
use raftsman_state::{Change, Object, View};
use sets::{Set, Sets};
use std::sync::Arc;

/// The controller of Deployments.
pub struct Deployments;

/// Everything one plan looks at and adds to.
struct Work<'a> {
    view: &'a View,
    now: &'a Now,
    object: Arc<Object>,
    deployment: Arc<Deployment>,
    spec: &'a DeploymentSpec,
    plan: Plan,
}

impl Work<'_> {
    fn replicas(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    fn event(&self, good: bool, reason: &'static str, message: String) -> Action {
        objects::event(&self.object, ("apps/v1", "Deployment"), good, reason, message)
    }

    /// A patch of the deployment.
    fn patch(&self, patch: serde_json::Value, part: Option<Subresource>) -> Action {
        let (key, uid) = (self.object.key.clone(), self.object.meta.uid.clone());
        Action::Patch { key, uid, revision: None, patch, part }
    }
}

fn owner_key(view: &View, object: &Object) -> Option<WorkKey> {
    let owner = view.by_uid(&object.meta.controller()?.uid)?;
    (owner.key.resource == *DEPLOYMENTS).then(|| owner.key.clone())
}

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let resource = &change.key().resource;
        if *resource == *DEPLOYMENTS {
            return if change.deleted { Vec::new() } else { vec![change.key().clone()] };
        }
        let mut keys = Vec::new();
        if *resource == *REPLICA_SETS {
            for set in change.previous.iter().chain([&change.object]) {
                keys.extend(owner_key(view, set));
                if set.meta.controller().is_none() && !change.deleted {
                    let all = view.list(&DEPLOYMENTS, Some(set.key.namespace()));
                    keys.extend(all.filter(|object| selects(object, set)).map(|object| object.key.clone()));
                }
            }
        } else if *resource == *PODS && (change.deleted || change.object.meta.deleting) {
            // Recreate waits for the last pod of the old template.
            let set = change.object.meta.controller().and_then(|owner| view.by_uid(&owner.uid));
            keys.extend(set.and_then(|set| owner_key(view, set)));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &DEPLOYMENTS)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let Some((object, deployment)) = objects::get::<Deployment>(view, key) else {
            return Plan::none();
        };
        let held = deployment.clone();
        let Some(spec) = &held.spec else {
            return Plan::none();
        };
        let Some(selector) = Selector::of(&spec.selector).filter(|selector| !selector.is_empty()) else {
            return Plan::none();
        };
        let mut work = Work { view, now, object, deployment, spec, plan: Plan::none() };
        plan(&mut work, &selector);
        work.plan
    }
}

fn selects(deployment: &Object, set: &Object) -> bool {
    let Some(typed) = objects::decode::<Deployment>(deployment) else {
        return false;
    };
    let selector = typed.spec.as_ref().and_then(|spec| Selector::of(&spec.selector));
    selector.is_some_and(|selector| !selector.is_empty() && selector.matches(&set.meta))
}

fn plan(work: &mut Work<'_>, selector: &Selector) {
    let (mut sets, claims) = sets::claim(work, selector);
    if !claims.is_empty() {
        claims.into_iter().for_each(|claim| work.plan.push(claim));
        return;
    }
    if work.object.meta.deleting {
        return status::sync(work, &sets, false);
    }
    let paused = work.spec.paused == Some(true);
    if conditions::pause_changed(work, paused) {
        return;
    }
    if paused || is_scaling(work, &sets) {
        if !revisions::sync(work, &mut sets, false) {
            return status::sync(work, &sets, false);
        }
        scale::scale(work, &mut sets);
        if paused {
            rollout::clean_up(work, &sets);
        }
        return status::sync(work, &sets, false);
    }
    let recreate = work.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate");
    if recreate {
        rollout::recreate(work, &mut sets);
    } else {
        rollout::roll(work, &mut sets);
    }
}

/// The deployment's size is not the one that its ReplicaSets were last scaled for.
fn is_scaling(work: &Work<'_>, sets: &Sets) -> bool {
    let desired = work.replicas();
    sets.all().filter(|set| set.replicas > 0).any(|set| set.number(sets::DESIRED).is_some_and(|was| was != desired))
}

impl Set {
    fn number(&self, annotation: &str) -> Option<i32> {
        self.annotation(annotation)?.parse().ok()
    }
}
