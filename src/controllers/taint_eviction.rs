//! `NoExecute` taints: pods that do not tolerate them leave, those that do for a while leave then.

use crate::objects::{self, NODES, POD_NODE, PODS};
use crate::{Action, Controller, Key, Now, Plan, WorkKey, pods};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use raftsman_state::{Change, Object, View};
use serde_json::json;
use std::time::Duration;

const NO_EXECUTE: &str = "NoExecute";

/// Evicts by taints.
pub struct TaintEviction;

/// The `NoExecute` taints of a node.
fn taints(node: &Node) -> Vec<Taint> {
    let all = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    all.iter().filter(|taint| taint.effect == NO_EXECUTE).cloned().collect()
}

/// Whether a toleration covers a taint (`v1 Toleration`).
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let is = |field: &Option<String>| field.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    if is(&toleration.effect).is_some_and(|effect| effect != taint.effect) {
        return false;
    }
    let value = || toleration.value.as_deref().unwrap_or("") == taint.value.as_deref().unwrap_or("");
    match (is(&toleration.key), toleration.operator.as_deref()) {
        (None, operator) => operator == Some("Exists"),
        (Some(key), _) if key != taint.key => false,
        (Some(_), Some("Exists")) => true,
        (Some(_), None | Some("" | "Equal")) => value(),
        (Some(_), Some(_)) => false,
    }
}

impl Controller for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if change.deleted {
            return Vec::new();
        }
        if key.resource == *NODES {
            let taints_of = |node: &Object| objects::decode::<Node>(node).map(|node| taints(&node)).unwrap_or_default();
            let now = taints_of(&change.object);
            if change.previous.as_ref().map(|node| taints_of(node)).unwrap_or_default() == now {
                return Vec::new();
            }
            let pods = view.by_index(POD_NODE, key.name()).map(|pod| pod.key.clone());
            return pods.chain([key.clone()]).collect();
        }
        let pod = key.resource == *PODS && !change.object.meta.deleting;
        let placed = pod && change.object.meta.field("spec.nodeName").is_some_and(|node| !node.is_empty());
        if placed { vec![key.clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let nodes = view.list(&NODES, None);
        let tainted = nodes.filter(|node| objects::decode::<Node>(node).is_some_and(|node| !taints(&node).is_empty()));
        tainted
            .flat_map(|node| {
                let pods = view.by_index(POD_NODE, node.key.name()).map(|pod| pod.key.clone());
                pods.chain([node.key.clone()])
            })
            .collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        if key.resource == *NODES { date_taints(view, key, now) } else { evict(view, key, now) }
    }
}

/// A taint without a time gets one: tolerations are counted from it, whoever leads.
fn date_taints(view: &View, key: &WorkKey, now: &Now) -> Plan {
    let mut plan = Plan::none();
    let Some((object, node)) = objects::get::<Node>(view, key) else {
        return plan;
    };
    let mut all = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let mut changed = false;
    for taint in all.iter_mut().filter(|taint| taint.effect == NO_EXECUTE && taint.time_added.is_none()) {
        taint.time_added = Some(Time(now.time));
        changed = true;
    }
    if changed {
        let (key, uid, revision) = (object.key.clone(), object.meta.uid.clone(), Some(object.revision));
        plan.push(Action::Patch { key, uid, revision, patch: json!({ "spec": { "taints": all } }), part: None });
    }
    plan
}

fn evict(view: &View, key: &WorkKey, now: &Now) -> Plan {
    let mut plan = Plan::none();
    let Some((object, pod)) = objects::get::<Pod>(view, key).filter(|(object, _)| !object.meta.deleting) else {
        return plan;
    };
    let node = pods::node_name(&pod).map(|node| Key::new(&NODES, "", node));
    let Some((_, node)) = node.and_then(|node| objects::get::<Node>(view, &node)) else {
        return plan;
    };
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    for taint in taints(&node) {
        let by: Vec<&Toleration> = tolerations.iter().filter(|toleration| tolerates(toleration, &taint)).collect();
        // The shortest one counts; one without seconds never ends.
        let seconds = by.iter().filter_map(|toleration| toleration.toleration_seconds).min();
        let left = match (by.is_empty(), seconds) {
            (true, _) => Duration::ZERO,
            (false, None) => continue,
            (false, Some(seconds)) => {
                let tolerated = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                // An undated taint is dated first; its change asks for this pod again.
                let Some(since) = &taint.time_added else {
                    if tolerated.is_zero() {
                        return leave(&object, &pod, now);
                    }
                    continue;
                };
                tolerated.saturating_sub(now.since(since.0))
            }
        };
        if left.is_zero() {
            return leave(&object, &pod, now);
        }
        plan.requeue(left);
    }
    plan
}

fn leave(object: &Object, pod: &Pod, now: &Now) -> Plan {
    let mut conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.retain(|condition| condition.type_ != "DisruptionTarget");
    conditions.push(PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("DeletionByTaintManager".to_owned()),
        message: Some("Taint manager: deleting due to NoExecute taint".to_owned()),
        last_transition_time: Some(Time(now.time)),
        ..PodCondition::default()
    });
    let (key, uid) = (object.key.clone(), object.meta.uid.clone());
    let mut plan = Plan::none();
    let name = format!("{}/{}", key.namespace(), key.name());
    plan.chain(vec![
        Action::Patch {
            key: key.clone(),
            uid: uid.clone(),
            revision: Some(object.revision),
            patch: json!({ "status": { "conditions": conditions } }),
            part: Some(Subresource::Status),
        },
        Action::Delete { key, uid, revision: None, grace: None, propagation: None },
        objects::event(object, ("v1", "Pod"), true, "TaintManagerEviction", format!("Marking for deletion Pod {name}")),
    ]);
    plan
}

#[cfg(test)]
#[path = "taint_eviction_tests.rs"]
mod tests;
