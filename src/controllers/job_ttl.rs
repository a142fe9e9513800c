//! `ttlSecondsAfterFinished` (KEP-592): jobs that are over are deleted after a while.

use crate::job::{finished_at, finished_job};
use crate::objects::{self, JOBS};
use crate::{Action, Controller, Now, Plan, Propagation, WorkKey};
use k8s_openapi::api::batch::v1::Job;
use raftsman_state::{Change, View};
use std::time::Duration;

/// Deletes them.
pub struct JobTtl;

impl Controller for JobTtl {
    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let job = change.key().resource == *JOBS && !change.deleted && !change.object.meta.deleting;
        if job { vec![change.key().clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &JOBS)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let Some((object, job)) = objects::get::<Job>(view, key).filter(|(object, _)| !object.meta.deleting) else {
            return plan;
        };
        let ttl = job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
        let (Some(ttl), Some(ended)) = (ttl, finished_job(&job).and_then(finished_at)) else {
            return plan;
        };
        let left = Duration::from_secs(u64::try_from(ttl).unwrap_or(0)).saturating_sub(now.since(ended));
        if left.is_zero() {
            plan.push(Action::Delete {
                key: key.clone(),
                uid: object.meta.uid.clone(),
                // What was seen is what is deleted: the time may have been changed since.
                revision: Some(object.revision),
                grace: None,
                propagation: Some(Propagation::Foreground),
            });
        } else {
            plan.requeue(left);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use raftsman_api::value::set;
    use serde_json::json;

    #[test]
    fn a_job_goes_when_its_time_is_over_and_not_before() {
        let mut cluster = Cluster::default();
        let key = cluster
            .put(json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "x"},
                "spec": {"ttlSecondsAfterFinished": 30, "template": {"spec": {"containers": []}}},
            }))
            .key
            .clone();
        assert_eq!(cluster.step(&JobTtl, &key), Plan::none(), "it runs");
        cluster.edit(&key, |job| {
            let ended = json!([{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}]);
            set(job, "status.conditions", ended);
        });
        cluster.pass(29);
        assert_eq!(cluster.step(&JobTtl, &key).requeue_after, Some(Duration::from_secs(1)));
        cluster.pass(1);
        let plan = cluster.step(&JobTtl, &key);
        assert_eq!(plan.to_string(), "delete batch/jobs x/j Foreground\n");
    }
}
