//! The life of nodes: who is silent for too long is lost, what it ran serves nobody, and its taints say so.

mod judge;
mod taints;
#[cfg(test)]
mod tests;

use crate::objects::{self, NODES, POD_NODE};
use crate::{Action, Controller, Heartbeats, Now, Plan, WorkKey, pods};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use raftsman_state::{Change, Object, View};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How often taints are looked at again that were withheld because no node is alive.
const WITHHELD: Duration = Duration::from_secs(1);

/// The controller of nodes' lives.
pub struct NodeLifecycle {
    /// Signs of life under this leadership.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// Silence after which a node is lost; every node gets it in full from a new leader.
    pub grace: Duration,
}

impl NodeLifecycle {
    /// How long a node may still be silent; zero when it is lost. It has been silent no longer than it has been there.
    fn left(&self, object: &Object, now: &Now) -> Duration {
        let last = self.heartbeats.last_seen(object.key.name()).unwrap_or(Duration::ZERO);
        let silent = now.mono.saturating_sub(last);
        let created = objects::decode::<Node>(object).and_then(|node| node.metadata.creation_timestamp.clone());
        let age = created.map_or(silent, |created| now.since(created.0));
        self.grace.saturating_sub(silent.min(age))
    }
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let node = change.key().resource == *NODES && !change.deleted;
        if node { vec![change.key().clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &NODES)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let Some((object, node)) = objects::get::<Node>(view, key) else {
            return plan;
        };
        let left = self.left(&object, now);
        if left.is_zero() && judge::ready(&node) != Some("Unknown") {
            // The conditions first: taints and pods follow with the plan that this change asks for.
            plan.chain(judge::lost(&object, &node, now));
            return plan;
        }
        let alive = judge::ready(&node) == Some("True");
        let evict = alive || view.list(&NODES, None).any(|other| !self.left(other, now).is_zero());
        if let Some(wanted) = taints::wanted(&node, evict, now) {
            let (key, uid, revision) = (key.clone(), object.meta.uid.clone(), Some(object.revision));
            let patch = json!({ "spec": { "taints": wanted } });
            plan.push(Action::Patch { key, uid, revision, patch, part: None });
        }
        if !alive {
            for pod in view.by_index(POD_NODE, object.key.name()) {
                plan.chain(not_ready(pod, now));
            }
        }
        if !left.is_zero() {
            plan.requeue(left);
        } else if !evict {
            plan.requeue(WITHHELD);
        }
        plan
    }
}

/// A pod on a node that is not ready serves nobody.
fn not_ready(object: &Object, now: &Now) -> Vec<Action> {
    let Some(pod) = objects::decode::<Pod>(object).filter(|pod| pods::is_ready(pod)) else {
        return Vec::new();
    };
    let mut conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    for ready in conditions.iter_mut().filter(|condition| condition.type_ == "Ready") {
        ready.status = "False".to_owned();
        ready.reason = Some("NodeNotReady".to_owned());
        ready.last_transition_time = Some(Time(now.time));
    }
    vec![
        Action::Patch {
            key: object.key.clone(),
            uid: object.meta.uid.clone(),
            revision: Some(object.revision),
            patch: json!({ "status": { "conditions": conditions } }),
            part: Some(Subresource::Status),
        },
        objects::event(object, ("v1", "Pod"), false, "NodeNotReady", "Node is not ready".to_owned()),
    ]
}
