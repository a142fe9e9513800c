//! How runs are made, counted and taken away.
#![allow(clippy::unwrap_used)]

use super::world::{COMPLETE, World, failed};
use super::*;
use crate::objects::EVENTS;
use raftsman_api::value::{At, set};
use serde_json::json;

#[test]
fn runs_are_counted_to_the_end() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 2}));
    world.settle();
    assert_eq!(world.active().len(), 2);
    let pod = world.cluster.json(&world.pods()[0]);
    assert_eq!(pod.at("metadata.finalizers"), &json!([TRACKING]));
    assert!(pod.text("metadata.name").starts_with("sum-"));
    assert_eq!((world.count("active"), world.count("ready")), (2, 0));
    assert_eq!(world.status().text("startTime"), "2026-01-02T03:04:05Z");
    for left in [2, 1, 0] {
        let key = world.active()[0].clone();
        world.run(&key);
        world.settle();
        world.end(&key, 0);
        world.settle();
        assert_eq!(world.active().len(), left.min(2));
    }
    assert_eq!(world.conditions(), COMPLETE);
    assert_eq!((world.count("succeeded"), world.count("failed"), world.count("active")), (3, 0, 0));
    assert_eq!(world.status().text("completionTime"), "2026-01-02T03:04:05Z");
    assert_eq!(world.status().at("uncountedTerminatedPods"), &json!({}));
    assert!(world.pods().iter().all(|key| world.cluster.json(key).list("metadata.finalizers").is_empty()));
    let view = world.cluster.view();
    let told = view.list(&EVENTS, None).any(|event| world.cluster.json(&event.key).text("reason") == "Completed");
    assert!(told);
    world.settle();
    assert_eq!(world.pods().len(), 3, "its pods stay for their logs");
}

#[test]
fn a_work_queue_is_done_when_one_succeeds_and_the_rest_have_ended() {
    let mut world = World::new(json!({"completions": null, "parallelism": 3}));
    world.settle();
    let pods = world.active();
    world.end(&pods[0], 0);
    world.settle();
    assert_eq!((world.active().len(), world.conditions().len()), (2, 0), "nothing new, nothing ended");
    world.end(&pods[1], 1);
    world.end(&pods[2], 0);
    world.settle();
    assert_eq!(world.conditions(), COMPLETE);
    assert_eq!((world.count("succeeded"), world.count("failed")), (2, 1));
}

#[test]
fn failures_wait_longer_each_time_and_end_the_job_at_the_limit() {
    let mut world = World::new(json!({"backoffLimit": 2}));
    world.settle();
    for (failures, wait) in [(1, 10), (2, 20)] {
        let key = world.active()[0].clone();
        world.end(&key, 1);
        world.settle();
        assert_eq!((world.count("failed"), world.active().len()), (failures, 0));
        let key = world.key.clone();
        let plan = world.cluster.step(&Jobs, &key);
        assert_eq!(plan.requeue_after, Some(Duration::from_secs(wait)));
        world.cluster.pass(wait);
        world.settle();
        assert_eq!(world.active().len(), 1);
    }
    let key = world.active()[0].clone();
    world.end(&key, 1);
    world.settle();
    assert_eq!(world.conditions(), failed("BackoffLimitExceeded"));
    assert_eq!(world.count("failed"), 3);
    assert!(!world.status().has("completionTime"));
}

#[test]
fn restarts_in_place_count_against_the_limit() {
    let template =
        json!({"metadata": {"labels": {"job": "sum"}}, "spec": {"restartPolicy": "OnFailure", "containers": []}});
    let mut world = World::new(json!({"backoffLimit": 2, "template": template}));
    world.settle();
    let key = world.active()[0].clone();
    world.run(&key);
    for (restarts, over) in [(1, false), (2, true)] {
        world.cluster.edit(&key, |pod| {
            let container = json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts});
            set(pod, "status.containerStatuses", json!([container]));
        });
        world.settle();
        assert_eq!(!world.conditions().is_empty(), over, "{restarts}");
    }
    world.let_end();
    world.settle();
    assert_eq!((world.conditions(), world.count("failed")), (failed("BackoffLimitExceeded").to_vec(), 1));
}

#[test]
fn a_deadline_ends_what_runs() {
    let mut world = World::new(json!({"activeDeadlineSeconds": 60, "parallelism": 2, "completions": 2}));
    world.settle();
    world.active().iter().for_each(|key| world.run(key));
    let key = world.key.clone();
    assert_eq!(world.cluster.step(&Jobs, &key).requeue_after, Some(Duration::from_secs(60)));
    world.cluster.pass(60);
    world.settle();
    assert_eq!(world.conditions(), ["FailureTarget:DeadlineExceeded"], "its pods have not ended");
    assert_eq!((world.count("active"), world.count("terminating")), (0, 2));
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), failed("DeadlineExceeded"));
    assert_eq!((world.count("failed"), world.count("terminating"), world.pods().len()), (2, 0, 0));
}

#[test]
fn a_suspended_job_has_no_pods_and_begins_anew() {
    let mut world = World::new(json!({"suspend": true, "completions": 2, "parallelism": 2}));
    world.settle();
    assert_eq!(
        (world.pods().len(), world.conditions(), world.status().has("startTime")),
        (0, vec!["Suspended:JobSuspended".into()], false)
    );
    world.cluster.pass(5);
    let key = world.key.clone();
    world.cluster.edit(&key, |job| set(job, "spec.suspend", false));
    world.settle();
    assert_eq!((world.active().len(), world.status().text("startTime")), (2, "2026-01-02T03:04:10Z"));
    world.active().iter().for_each(|key| world.run(key));
    world.cluster.edit(&key, |job| set(job, "spec.suspend", true));
    world.settle();
    assert_eq!((world.active().len(), world.count("terminating")), (0, 2));
    world.let_end();
    world.settle();
    assert_eq!((world.pods().len(), world.count("failed")), (0, 0), "taken away, not failed");
}

#[test]
fn a_pod_that_is_leaving_is_replaced_when_the_policy_says_so() {
    for (policy, at_once) in [("TerminatingOrFailed", true), ("Failed", false)] {
        let mut world = World::new(json!({"podReplacementPolicy": policy}));
        world.settle();
        let key = world.active()[0].clone();
        world.run(&key);
        let pod = world.cluster.json(&key);
        world.cluster.delete(pod, None, None);
        world.settle();
        world.cluster.pass(10);
        world.settle();
        assert_eq!(
            (world.active().len(), world.count("failed")),
            (usize::from(at_once), i64::from(at_once)),
            "{policy}"
        );
        world.let_end();
        world.settle();
        world.cluster.pass(10);
        world.settle();
        assert_eq!((world.active().len(), world.count("failed")), (1, 1), "{policy}");
    }
}

#[test]
fn fewer_pods_run_when_fewer_are_wanted() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 4}));
    world.settle();
    let pods = world.active();
    world.run(&pods[2]);
    let key = world.key.clone();
    world.cluster.edit(&key, |job| set(job, "spec.parallelism", 1));
    world.settle();
    assert_eq!((world.active(), world.count("failed")), (vec![pods[2].clone()], 0), "the one that runs stays");
}

#[test]
fn pods_are_let_go_when_their_job_is_gone() {
    let mut world = World::new(json!({"parallelism": 2, "completions": 2}));
    world.settle();
    world.cluster.remove(&world.key.clone());
    world.settle();
    assert!(world.pods().iter().all(|key| world.cluster.json(key).list("metadata.finalizers").is_empty()));
}

#[test]
fn orphans_are_adopted_and_tracked() {
    let mut world = World::new(json!({"completions": 1}));
    world.cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": "x", "labels": {"job": "sum"}},
        "spec": {"containers": []}, "status": {"phase": "Succeeded"},
    }));
    world.settle();
    assert_eq!((world.pods().len(), world.count("succeeded")), (1, 1));
    assert_eq!(world.conditions(), COMPLETE);
}
