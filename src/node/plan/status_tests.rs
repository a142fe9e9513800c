//! Pod × observed → `status`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::fixture::{at, exited, input, pod, prepared, root, running, simple};
use super::{ImageState, Memory, Retry, status};
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::ContainerStatus;
use serde_json::{Value, json};

fn look(pod: &Pod, runs: Vec<ContainerStatus>, memory: &Memory, now: u64) -> Value {
    let observed = root(runs);
    serde_json::to_value(status(&input(pod, Some(&observed), memory, now))).unwrap()
}

fn condition(status: &Value, kind: &str) -> String {
    let all = status["conditions"].as_array().unwrap();
    let found = all.iter().find(|condition| condition["type"] == kind).unwrap();
    match found["reason"].as_str() {
        Some(reason) => format!("{} {reason}", found["status"].as_str().unwrap()),
        None => found["status"].as_str().unwrap().to_owned(),
    }
}

fn state(status: &Value) -> &Value {
    &status["containerStatuses"][0]["state"]
}

#[test]
fn phases_follow_containers_and_policy() {
    let phase = |policy: &str, runs: Vec<ContainerStatus>| {
        look(&simple(policy), runs, &prepared(&[]), 10)["phase"].as_str().unwrap().to_owned()
    };
    for (policy, runs, expected) in [
        ("Always", vec![], "Pending"),
        ("Always", vec![running("c", 0, 0)], "Running"),
        ("Always", vec![exited("c", 0, 0, 5, 0)], "Running"),
        ("OnFailure", vec![exited("c", 0, 0, 5, 0)], "Succeeded"),
        ("OnFailure", vec![exited("c", 0, 0, 5, 1)], "Running"),
        ("Never", vec![exited("c", 0, 0, 5, 0)], "Succeeded"),
        ("Never", vec![exited("c", 0, 0, 5, 1)], "Failed"),
    ] {
        assert_eq!(phase(policy, runs), expected, "{policy}");
    }
}

#[test]
fn a_running_pod_is_ready_and_addressed() {
    let seen = look(&simple("Always"), vec![running("c", 0, 3)], &prepared(&[]), 10);
    assert_eq!(seen["podIP"], "10.244.1.2");
    assert_eq!(seen["podIPs"], json!([{"ip": "10.244.1.2"}]));
    assert_eq!(seen["hostIP"], "10.89.0.11");
    assert_eq!(seen["qosClass"], "BestEffort");
    assert_eq!(seen["startTime"], "1970-01-12T13:46:40Z");
    assert_eq!(state(&seen)["running"]["startedAt"], "1970-01-12T13:46:43Z");
    for kind in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&seen, kind), "True", "{kind}");
    }
}

#[test]
fn waiting_says_why() {
    let pod = simple("Always");
    let mut memory = prepared(&[]);
    assert_eq!(state(&look(&pod, vec![], &memory, 0)), &json!({"waiting": {"reason": "ContainerCreating"}}));
    let retry = Retry::with(None, at(0), "ErrImagePull", "not found".to_owned(), super::pull_delay);
    memory.images.insert("c".to_owned(), ImageState::Failed(retry));
    assert_eq!(
        state(&look(&pod, vec![], &memory, 0)),
        &json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}})
    );
    let text = "Back-off pulling image \"app:1\": ErrImagePull: not found";
    assert_eq!(
        state(&look(&pod, vec![], &memory, 2)),
        &json!({"waiting": {"reason": "ImagePullBackOff", "message": text}})
    );
    memory.images.clear();
    let retry = Retry::next(None, at(0), "CreateContainerConfigError", "secret \"s\" not found".to_owned());
    memory.container_mut("c").unmade = Some(retry);
    let expected = json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"s\" not found"}});
    assert_eq!(state(&look(&pod, vec![], &memory, 0)), &expected);
    let seen = look(&pod, vec![], &memory, 0);
    assert_eq!(condition(&seen, "Ready"), "False ContainersNotReady");
    let ready = seen["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!(ready["message"], "containers with unready status: [c]");
}

#[test]
fn a_crash_loop_keeps_the_last_state() {
    let mut memory = prepared(&[]);
    memory.container_mut("c").streak = Some(4);
    let seen = look(&simple("Always"), vec![exited("c", 4, 0, 5, 137)], &memory, 6);
    let text = "back-off 8s restarting failed container=c pod=p_ns(u)";
    assert_eq!(state(&seen), &json!({"waiting": {"reason": "CrashLoopBackOff", "message": text}}));
    let container = &seen["containerStatuses"][0];
    assert_eq!(container["lastState"]["terminated"]["reason"], "OOMKilled");
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 137);
    assert_eq!(container["restartCount"], 4);
    assert_eq!(container["ready"], false);
    assert_eq!(seen["phase"], "Running");
}

#[test]
fn an_ended_pod_says_how() {
    let seen = look(&simple("Never"), vec![exited("c", 0, 0, 5, 0)], &prepared(&[]), 6);
    assert_eq!(state(&seen)["terminated"]["reason"], "Completed");
    assert_eq!(condition(&seen, "Ready"), "False PodCompleted");
    assert_eq!(condition(&seen, "Initialized"), "True PodCompleted");
    let seen = look(&simple("Never"), vec![exited("c", 0, 0, 5, 2)], &prepared(&[]), 6);
    assert_eq!(state(&seen)["terminated"]["reason"], "Error");
    assert_eq!(condition(&seen, "Ready"), "False PodFailed");
}

#[test]
fn containers_wait_for_their_init_containers() {
    let pod =
        pod(json!({"initContainers": [{"name": "i", "image": "a"}], "containers": [{"name": "c", "image": "a"}]}));
    let seen = look(&pod, vec![running("i", 0, 0)], &prepared(&[]), 1);
    assert_eq!(seen["phase"], "Pending");
    assert_eq!(state(&seen), &json!({"waiting": {"reason": "PodInitializing"}}));
    assert_eq!(condition(&seen, "Initialized"), "False ContainersNotInitialized");
    let seen = look(&pod, vec![exited("i", 0, 0, 1, 0), running("c", 0, 1)], &prepared(&[]), 2);
    assert_eq!((seen["phase"].as_str(), condition(&seen, "Ready")), (Some("Running"), "True".to_owned()));
    assert_eq!(seen["initContainerStatuses"][0]["ready"], true);
}

#[test]
fn readiness_is_the_probes_verdict_on_this_run() {
    let pod = pod(json!({"containers": [{"name": "c", "image": "a", "readinessProbe": {"tcpSocket": {"port": 80}}}]}));
    for (verdict, expected) in
        [(None, false), (Some((0, true)), false), (Some((1, true)), true), (Some((1, false)), false)]
    {
        let mut memory = prepared(&[]);
        memory.container_mut("c").ready = verdict;
        let seen = look(&pod, vec![running("c", 1, 0)], &memory, 1);
        assert_eq!(seen["containerStatuses"][0]["ready"], expected, "{verdict:?}");
    }
}

#[test]
fn a_startup_probe_holds_readiness_back() {
    let pod = pod(json!({"containers": [{"name": "c", "image": "a", "startupProbe": {"tcpSocket": {"port": 80}}}]}));
    let mut memory = prepared(&[]);
    assert_eq!(look(&pod, vec![running("c", 0, 0)], &memory, 1)["containerStatuses"][0]["started"], false);
    memory.container_mut("c").started = Some(0);
    assert_eq!(look(&pod, vec![running("c", 0, 0)], &memory, 1)["containerStatuses"][0]["ready"], true);
}

#[test]
fn transition_times_stay_while_nothing_changes() {
    let pod = simple("Always");
    let mut memory = prepared(&[]);
    let observed = root(vec![running("c", 0, 0)]);
    memory.status = Some(status(&input(&pod, Some(&observed), &memory, 10)));
    let later = status(&input(&pod, Some(&observed), &memory, 99));
    assert_eq!(Some(&later), memory.status.as_ref());
    let ended = root(vec![exited("c", 0, 0, 100, 1)]);
    let after = serde_json::to_value(status(&input(&pod, Some(&ended), &memory, 100))).unwrap();
    let since = |kind: &str| {
        let all = after["conditions"].as_array().unwrap().clone();
        all.into_iter().find(|condition| condition["type"] == kind).unwrap()["lastTransitionTime"].clone()
    };
    assert_eq!(since("Ready"), "1970-01-12T13:48:20Z");
    assert_eq!(since("Initialized"), "1970-01-12T13:46:50Z");
}

#[test]
fn a_deleted_pod_ends_with_its_last_container() {
    let mut pod = simple("Always");
    pod.metadata.deletion_timestamp = Some(crate::time::seconds(at(5)));
    assert_eq!(look(&pod, vec![running("c", 0, 0)], &prepared(&[]), 6)["phase"], "Running");
    assert_eq!(look(&pod, vec![exited("c", 0, 0, 6, 0)], &prepared(&[]), 6)["phase"], "Succeeded");
    assert_eq!(look(&pod, vec![exited("c", 0, 0, 6, 143)], &prepared(&[]), 6)["phase"], "Failed");
}
