//! Indexes, and the policies that say when a job has failed or is done.
#![allow(clippy::unwrap_used)]

use super::members;
use super::world::{COMPLETE, World, failed};
use raftsman_api::value::{At, set};
use serde_json::json;

#[test]
fn indexes_are_done_once_each() {
    let mut world = World::new(json!({"completionMode": "Indexed", "completions": 5, "parallelism": 3}));
    world.settle();
    assert_eq!(world.indexes(), ["0", "1", "2"]);
    let pod = world.cluster.json(&world.active()[0]);
    assert!(pod.text("metadata.name").starts_with("sum-0-"));
    assert_eq!(pod.text("spec.hostname"), "sum-0");
    assert_eq!(pod.list("spec.containers")[0]["env"][0]["name"], "JOB_COMPLETION_INDEX");
    assert_eq!(pod["metadata"]["labels"][members::INDEX], "0");
    world.end_index("1", 0);
    assert_eq!(
        (world.indexes(), world.status().text("completedIndexes")),
        (vec!["0".into(), "2".into(), "3".into()], "1")
    );
    world.end_index("2", 0);
    world.end_index("3", 0);
    assert_eq!(world.status().text("completedIndexes"), "1-3");
    // A failed one is tried again under its index.
    world.cluster.pass(1);
    world.end_index("4", 1);
    assert_eq!(world.indexes(), ["0"]);
    world.cluster.pass(10);
    world.settle();
    assert_eq!(world.indexes(), ["0", "4"]);
    world.end_index("0", 0);
    world.end_index("4", 0);
    assert_eq!(
        (world.conditions(), world.count("succeeded"), world.count("failed")),
        (COMPLETE.map(String::from).to_vec(), 5, 1)
    );
    assert_eq!(world.status().text("completedIndexes"), "0-4");
}

#[test]
fn each_index_has_its_own_limit() {
    let spec = json!({
        "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 1,
        "backoffLimit": i32::MAX,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end_index("0", 1);
    assert_eq!((world.indexes(), world.count("failed")), (vec!["1".to_owned()], 0), "it waits for its successor");
    world.cluster.pass(10);
    world.settle();
    let second = world.cluster.json(&world.active().into_iter().find(|key| key.name().starts_with("sum-0")).unwrap());
    assert_eq!(second.at("metadata.annotations")["batch.kubernetes.io/job-index-failure-count"], "1");
    assert_eq!(world.count("failed"), 1);
    world.end_index("0", 1);
    assert_eq!((world.indexes(), world.status().text("failedIndexes")), (vec!["1".to_owned()], "0"));
    world.end_index("1", 0);
    assert_eq!(world.conditions(), failed("FailedIndexes"));
    assert_eq!((world.count("failed"), world.count("succeeded"), world.status().text("completedIndexes")), (2, 1, "1"));
}

#[test]
fn the_failure_policy_decides_what_a_failure_means() {
    let policy = json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
    ]});
    let mut world =
        World::new(json!({"podFailurePolicy": policy, "podReplacementPolicy": "Failed", "backoffLimit": 0}));
    world.settle();
    let key = world.active()[0].clone();
    world.cluster.edit(&key, |pod| {
        set(pod, "status.conditions", json!([{"type": "DisruptionTarget", "status": "True"}]));
    });
    world.end(&key, 137);
    world.settle();
    assert_eq!((world.count("failed"), world.conditions().len()), (0, 0), "ignored");
    assert!(world.cluster.json(&key).list("metadata.finalizers").is_empty());
    world.cluster.pass(10);
    world.settle();
    let key = world.active()[0].clone();
    world.end(&key, 42);
    world.settle();
    assert_eq!(world.conditions(), failed("PodFailurePolicy"));
    let status = world.status();
    let expected =
        format!("Container c for pod x/{} failed with exit code 42 matching FailJob rule at index 1", key.name());
    assert_eq!(status.list("conditions")[0].text("message"), expected);
}

#[test]
fn an_index_can_be_given_up_at_once() {
    let policy = json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}}]});
    let spec = json!({
        "completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 5, "maxFailedIndexes": 1,
        "backoffLimit": i32::MAX, "podFailurePolicy": policy,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end_index("0", 7);
    assert_eq!((world.status().text("failedIndexes"), world.conditions().len()), ("0", 0));
    world.end_index("1", 7);
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), failed("MaxFailedIndexesExceeded"));
    assert_eq!(world.status().text("failedIndexes"), "0,1");
}

#[test]
fn some_completions_may_be_enough() {
    let rules = json!({"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 2}]});
    let spec = json!({"completionMode": "Indexed", "completions": 5, "parallelism": 5, "successPolicy": rules});
    let mut world = World::new(spec);
    world.settle();
    world.active().iter().for_each(|key| world.run(key));
    world.end_index("1", 0);
    world.end_index("2", 0);
    assert_eq!(world.conditions().len(), 0);
    world.end_index("3", 0);
    assert_eq!(world.conditions(), ["SuccessCriteriaMet:SuccessPolicy"], "the others are still ending");
    world.let_end();
    world.settle();
    assert_eq!(world.conditions(), ["SuccessCriteriaMet:SuccessPolicy", "Complete:SuccessPolicy"]);
    assert_eq!((world.count("succeeded"), world.count("failed")), (3, 0), "the others are not failures");
}
