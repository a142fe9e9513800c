//! Decisions as plans: the scheduler among the leader's controllers.

use crate::filters::HelpedBy;
use crate::{Decision, Demand, Index, Scheduler, VolumeDemand};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use parking_lot::Mutex;
use raftsman_api::kind::Subresource;
use raftsman_api::volumes::SELECTED_NODE;
use raftsman_controllers::{Action, Controller, Key, Now, Plan, WorkKey, objects, pods};
use raftsman_state::{Change, Object, View};
use serde_json::json;
use std::sync::Arc;

/// Pods decided in one plan at most.
const BATCH: usize = 256;

/// Schedules pending pods. One key stands for all of them, so that no two decisions are made beside each other; within a
/// plan every decision counts what those before it have taken.
#[derive(Default)]
pub struct SchedulerDriver {
    scheduler: Scheduler,
    index: Mutex<Index>,
}

fn queue() -> WorkKey {
    Key::new(&objects::PODS, "", "")
}

impl Controller for SchedulerDriver {
    fn name(&self) -> &'static str {
        "default-scheduler"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let resource = &change.key().resource;
        let concerning =
            [&objects::PODS, &objects::NODES, &objects::CLAIMS, &objects::VOLUMES, &objects::STORAGE_CLASSES];
        let concerns = concerning.iter().any(|known| *resource == ***known);
        if concerns { vec![queue()] } else { Vec::new() }
    }

    fn all(&self, _view: &View) -> Vec<WorkKey> {
        vec![queue()]
    }

    fn plan(&self, view: &View, _key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let mut index = self.index.lock();
        index.sync(view);
        let ready = index.pending.ready(now.mono);
        let more = ready.len() > BATCH;
        for key in ready.into_iter().take(BATCH) {
            self.decide(&mut plan, view, &mut index, &key, now);
        }
        if more {
            plan.requeue(std::time::Duration::ZERO);
        } else if let Some(delay) = index.pending.next_due(now.mono) {
            plan.requeue(delay);
        }
        plan
    }
}

impl SchedulerDriver {
    fn decide(&self, plan: &mut Plan, view: &View, index: &mut Index, key: &Key, now: &Now) {
        let Some(waiting) = index.pending.get(key) else {
            return;
        };
        let (object, gated) = (waiting.object.clone(), waiting.gated);
        let Some(pod) = objects::decode::<Pod>(&object) else {
            return;
        };
        if gated {
            let message = "Scheduling is blocked due to non-empty scheduling gates";
            plan.chain(waits(&object, &pod, "SchedulingGated", message, now).into_iter().collect());
            return index.pending.tried(key, now.mono, Some(HelpedBy::default()));
        }
        let volumes = VolumeDemand::of(view, &object, &pod);
        if volumes.waiting && volumes.refused.is_none() {
            // Its claims know the node; their volumes are about to be there.
            return index.pending.waits(key, now.mono, HelpedBy::VOLUME);
        }
        let untold = volumes.untold.clone();
        let demand = Arc::new(Demand { volumes, ..Demand::of(&pod) });
        match self.scheduler.schedule(index, &demand) {
            Decision::Bind(node) if !untold.is_empty() => {
                for claim in &untold {
                    plan.push(tell(claim, &node));
                }
                index.assume(&node, demand);
                index.pending.waits(key, now.mono, HelpedBy::VOLUME);
            }
            Decision::Bind(node) => {
                let message = format!("Successfully assigned {}/{} to {node}", key.namespace(), key.name());
                plan.chain(vec![
                    Action::Bind { pod: key.clone(), uid: object.meta.uid.clone(), node: node.as_str().into() },
                    objects::event(&object, ("v1", "Pod"), true, "Scheduled", message),
                ]);
                index.assume(&node, demand);
                index.pending.tried(key, now.mono, None);
            }
            Decision::Unschedulable { message, helped_by, .. } => {
                let mut chain: Vec<Action> = waits(&object, &pod, "Unschedulable", &message, now).into_iter().collect();
                chain.push(objects::event(&object, ("v1", "Pod"), false, "FailedScheduling", message));
                plan.chain(chain);
                index.pending.tried(key, now.mono, Some(helped_by));
            }
        }
    }
}

/// Tells a claim which node its first consumer is to run on.
fn tell(claim: &Object, node: &str) -> Action {
    Action::Patch {
        key: claim.key.clone(),
        uid: claim.meta.uid.clone(),
        revision: Some(claim.revision),
        patch: json!({ "metadata": { "annotations": { SELECTED_NODE: node } } }),
        part: None,
    }
}

/// The condition `PodScheduled` becomes false, unless it says so already.
fn waits(object: &Object, pod: &Pod, reason: &str, message: &str, now: &Now) -> Option<Action> {
    let old = pods::condition(pod, "PodScheduled");
    let same = old.is_some_and(|old| {
        old.status == "False" && old.reason.as_deref() == Some(reason) && old.message.as_deref() == Some(message)
    });
    if same {
        return None;
    }
    let since = old.filter(|old| old.status == "False").and_then(|old| old.last_transition_time.clone());
    let mut conditions = pod.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.retain(|condition| condition.type_ != "PodScheduled");
    conditions.push(PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(since.unwrap_or(Time(now.time))),
        ..PodCondition::default()
    });
    Some(Action::Patch {
        key: object.key.clone(),
        uid: object.meta.uid.clone(),
        revision: Some(object.revision),
        patch: json!({ "status": { "conditions": conditions } }),
        part: Some(Subresource::Status),
    })
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
