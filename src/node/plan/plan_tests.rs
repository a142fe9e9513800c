//! Pod × observed → actions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::fixture::{at, exited, input, pod, prepared, root, running, simple, system};
use super::{FailedStart, Fence, ImageState, Input, Memory, Plan, PodAction, Retry, Stop, VolumeState, plan, removed};
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::{ContainerStatus, FenceStatus, PodStatus};
use serde_json::json;
use std::time::Duration;

/// The plan in few words.
fn words(pod: &Pod, observed: Option<&PodStatus>, memory: &Memory, now: u64) -> Vec<String> {
    words_of(&plan(&input(pod, observed, memory, now)))
}

fn words_of(plan: &Plan) -> Vec<String> {
    let mut words: Vec<String> = plan
        .actions
        .iter()
        .map(|action| match action {
            PodAction::SetUpVolumes => "volumes".to_owned(),
            PodAction::CreateRoot => "root".to_owned(),
            PodAction::AttachNetwork => "network".to_owned(),
            PodAction::EnsureImage { container } => format!("image {container}"),
            PodAction::Start { container, attempt } => format!("start {container} {attempt}"),
            PodAction::Stop { container, grace, .. } => format!("stop {container} {}", grace.as_secs()),
            PodAction::Forget { container, attempt } => format!("forget {container} {attempt}"),
            PodAction::AskWord { epoch } => format!("ask {epoch}"),
            PodAction::Admit { epoch } => format!("admit {epoch}"),
            PodAction::Release => "release".to_owned(),
            PodAction::RemoveRoot => "remove".to_owned(),
            PodAction::Gone => "gone".to_owned(),
            PodAction::Announce { event, .. } => format!("say {}", event.message.reason),
            PodAction::End { reason, .. } => format!("end {reason}"),
        })
        .collect();
    words.extend(plan.wake_at.map(|wake| format!("wake {}", wake.duration_since(at(0)).as_secs())));
    words
}

fn with(runs: Vec<ContainerStatus>, memory: &Memory, pod: &Pod, now: u64) -> Vec<String> {
    words(pod, Some(&root(runs)), memory, now)
}

#[test]
fn a_new_pod_is_built_step_by_step() {
    let pod = simple("Always");
    let mut memory = Memory::new(at(0));
    assert_eq!(words(&pod, None, &memory, 0), ["volumes"]);
    memory.volumes = VolumeState::Ready;
    assert_eq!(words(&pod, None, &memory, 0), ["root"]);
    let mut bare = root(vec![]);
    bare.address = None;
    assert_eq!(words(&pod, Some(&bare), &memory, 0), ["network", "image c"]);
    memory.images.insert("c".to_owned(), ImageState::Working);
    memory.attached = true;
    assert_eq!(with(vec![], &memory, &pod, 0), [""; 0]);
    assert_eq!(with(vec![], &prepared(&["c"]), &pod, 0), ["start c 0"]);
    assert_eq!(with(vec![running("c", 0, 0)], &prepared(&[]), &pod, 5), [""; 0]);
}

#[test]
fn without_a_network_a_pod_waits_unless_it_uses_the_hosts() {
    let memory = Memory { volumes: VolumeState::Ready, ..Memory::new(at(0)) };
    let own = simple("Always");
    let host = pod(json!({"hostNetwork": true, "containers": [{"name": "c", "image": "a"}]}));
    for (pod, expected) in [(&own, "NetworkNotReady"), (&host, "root")] {
        let mut input = input(pod, None, &memory, 1);
        input.network_ready = false;
        let plan = plan(&input);
        assert_eq!(plan.actions.len(), 1);
        assert!(format!("{:?}", plan.actions[0]).to_lowercase().contains(&expected.to_lowercase()), "{plan:?}");
    }
}

#[test]
fn what_ended_runs_again_by_its_policy() {
    for (policy, code, expected) in [
        ("Always", 0, vec!["start c 1"]),
        ("Always", 1, vec!["start c 1"]),
        ("OnFailure", 0, vec![]),
        ("OnFailure", 1, vec!["start c 1"]),
        ("Never", 0, vec![]),
        ("Never", 1, vec![]),
    ] {
        let runs = vec![exited("c", 0, 0, 5, code)];
        assert_eq!(with(runs, &prepared(&["c"]), &simple(policy), 5), expected, "{policy} {code}");
    }
}

#[test]
fn a_crashing_container_waits_longer_each_time() {
    let pod = simple("Always");
    for (streak, wait) in [(0, 0), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (50, 300)] {
        let mut memory = prepared(&["c"]);
        memory.container_mut("c").streak = Some(streak);
        let runs = || vec![exited("c", 7, 0, 5, 1)];
        if wait > 0 {
            assert_eq!(with(runs(), &memory, &pod, 5), ["say BackOff".to_owned(), format!("wake {}", 5 + wait)]);
            memory.announced.insert(("c".to_owned(), "BackOff".to_owned(), 7));
            assert_eq!(with(runs(), &memory, &pod, 5), [format!("wake {}", 5 + wait)]);
        }
        assert_eq!(with(runs(), &memory, &pod, 5 + wait), ["start c 8"]);
    }
}

#[test]
fn ten_minutes_of_life_clear_the_record() {
    let mut memory = prepared(&["c"]);
    memory.container_mut("c").streak = Some(9);
    assert_eq!(with(vec![exited("c", 7, 0, 600, 1)], &memory, &simple("Always"), 600), ["start c 8"]);
    assert_eq!(with(vec![exited("c", 7, 0, 599, 1)], &memory, &simple("Always"), 599), ["say BackOff", "wake 855"]);
}

#[test]
fn old_runs_are_forgotten_but_for_the_last_one() {
    let runs = vec![exited("c", 0, 0, 1, 1), exited("c", 1, 1, 2, 1), exited("c", 2, 2, 3, 1), running("c", 3, 4)];
    assert_eq!(with(runs, &prepared(&[]), &simple("Always"), 5), ["forget c 1", "forget c 0"]);
}

#[test]
fn init_containers_run_in_order_and_sidecars_go_on() {
    let pod = pod(json!({
        "restartPolicy": "Never",
        "initContainers": [
            {"name": "i1", "image": "a"},
            {"name": "side", "image": "a", "restartPolicy": "Always"},
            {"name": "i2", "image": "a"},
        ],
        "containers": [{"name": "c", "image": "a"}, {"name": "d", "image": "a"}],
    }));
    let memory = prepared(&["i1", "side", "i2", "c", "d"]);
    let mut runs = vec![];
    let mut step = |more: Option<ContainerStatus>, expected: &[&str]| {
        if let Some(more) = more {
            runs.retain(|run: &ContainerStatus| run.name != more.name);
            runs.push(more);
        }
        assert_eq!(with(runs.clone(), &memory, &pod, 9), expected);
    };
    step(None, &["start i1 0"]);
    step(Some(running("i1", 0, 0)), &[]);
    step(Some(exited("i1", 0, 0, 1, 0)), &["start side 0"]);
    step(Some(running("side", 0, 1)), &["start i2 0"]);
    step(Some(exited("i2", 0, 1, 2, 0)), &["start c 0", "start d 0"]);
    step(Some(running("c", 0, 2)), &["start d 0"]);
    step(Some(running("d", 0, 2)), &[]);
    // A sidecar that dies comes back; when the work is done, it goes.
    step(Some(exited("side", 0, 1, 3, 1)), &["start side 1"]);
    step(Some(running("side", 1, 3)), &[]);
    step(Some(exited("c", 0, 2, 4, 0)), &[]);
    step(Some(exited("d", 0, 2, 4, 0)), &["stop side 30"]);
}

#[test]
fn a_failed_init_container_ends_a_pod_that_never_restarts() {
    let pod = pod(json!({"restartPolicy": "Never",
        "initContainers": [{"name": "i", "image": "a"}], "containers": [{"name": "c", "image": "a"}]}));
    assert_eq!(with(vec![exited("i", 0, 0, 1, 3)], &prepared(&["i", "c"]), &pod, 2), [""; 0]);
}

#[test]
fn deletion_stops_removes_and_tells() {
    let mut pod = simple("Always");
    pod.metadata.deletion_timestamp = Some(crate::time::seconds(at(10)));
    pod.metadata.deletion_grace_period_seconds = Some(7);
    let mut memory = prepared(&["c"]);
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 10), ["stop c 7"]);
    memory.container_mut("c").stop = Some(Stop { attempt: 0, kill_at: at(17) });
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 11), [""; 0]);
    // A shorter grace later on is honoured.
    pod.metadata.deletion_grace_period_seconds = Some(0);
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 11), ["stop c 0"]);
    assert_eq!(with(vec![exited("c", 0, 0, 12, 143)], &memory, &pod, 12), ["remove"]);
    assert_eq!(words(&pod, None, &memory, 12), ["remove"]);
    memory.announced.insert(removed());
    assert_eq!(words(&pod, None, &memory, 12), ["gone"]);
    memory.removal = Some(Retry::next(None, at(12), "x", String::new()));
    assert_eq!(words(&pod, None, &memory, 13), ["remove"]);
}

#[test]
fn a_condemned_run_is_stopped_once() {
    let pod = simple("Always");
    let mut memory = prepared(&["c"]);
    let grace = Some(Duration::from_secs(3));
    memory.container_mut("c").condemned =
        Some((0, "Container c failed liveness probe, will be restarted".to_owned(), grace));
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 9), ["stop c 3"]);
    memory.container_mut("c").stop = Some(Stop { attempt: 0, kill_at: at(12) });
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 10), [""; 0]);
    // The next run is another matter.
    assert_eq!(with(vec![running("c", 1, 0)], &memory, &pod, 10), [""; 0]);
}

#[test]
fn a_pull_that_failed_waits() {
    let pod = simple("Always");
    let mut memory = prepared(&[]);
    let retry = Retry::with(None, at(0), "ErrImagePull", "not found".to_owned(), super::pull_delay);
    memory.images.insert("c".to_owned(), ImageState::Failed(retry));
    assert_eq!(with(vec![], &memory, &pod, 0), ["wake 1"]);
    assert_eq!(with(vec![], &memory, &pod, 1), ["say BackOff", "wake 10"]);
    assert_eq!(with(vec![], &memory, &pod, 10), ["image c"]);
}

#[test]
fn a_pull_that_fails_again_is_an_error_until_the_next_look() {
    let pod = simple("Always");
    let mut memory = prepared(&[]);
    let fail = |last: Option<&Retry>, now| Retry::with(last, at(now), "ErrImagePull", String::new(), super::pull_delay);
    let (mut last, mut now) = (fail(None, 0), 0);
    let shown = |memory: &Memory, now: u64| {
        let root = root(vec![]);
        let status = super::status(&input(&pod, Some(&root), memory, now));
        let state = status.container_statuses.unwrap()[0].state.clone().unwrap();
        state.waiting.unwrap().reason.unwrap()
    };
    // Seconds of the error, and of the whole wait.
    for (error, wait) in [(1, 10), (10, 20), (10, 40), (10, 80), (10, 160), (10, 300), (10, 300)] {
        memory.images.insert("c".to_owned(), ImageState::Failed(last.clone()));
        assert_eq!(shown(&memory, now + error - 1), "ErrImagePull", "failure {}", last.failures);
        assert_eq!(shown(&memory, now + error), "ImagePullBackOff", "failure {}", last.failures);
        assert_eq!(with(vec![], &memory, &pod, now + error)[0], "say BackOff");
        assert_ne!(with(vec![], &memory, &pod, now + wait - 1), ["image c"]);
        assert_eq!(with(vec![], &memory, &pod, now + wait), ["image c"]);
        now += wait;
        last = fail(Some(&last), now);
    }
}

#[test]
fn a_start_that_failed_counts_as_a_run() {
    let mut memory = prepared(&["c"]);
    memory.container_mut("c").streak = Some(1);
    memory.container_mut("c").failed_starts =
        vec![FailedStart { attempt: 1, at: at(5), message: "no such file".to_owned() }];
    assert_eq!(with(vec![exited("c", 0, 0, 4, 1)], &memory, &simple("Always"), 5), ["say BackOff", "wake 6"]);
    assert_eq!(with(vec![exited("c", 0, 0, 4, 1)], &memory, &simple("Always"), 6), ["start c 2"]);
}

#[test]
fn a_deadline_ends_a_pod() {
    let pod = pod(json!({"activeDeadlineSeconds": 60, "containers": [{"name": "c", "image": "a"}]}));
    let mut memory = prepared(&[]);
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 59), ["wake 60"]);
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 60), ["say DeadlineExceeded", "end DeadlineExceeded"]);
    memory.ended = Some(("DeadlineExceeded".to_owned(), String::new()));
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 60), ["stop c 30"]);
    assert_eq!(with(vec![exited("c", 0, 0, 61, 143)], &memory, &pod, 62), [""; 0]);
}

#[test]
fn an_evicted_pod_goes_at_once() {
    let pod = simple("Always");
    let mut memory = prepared(&[]);
    memory.ended = Some((super::EVICTED.to_owned(), "too large".to_owned()));
    assert_eq!(with(vec![running("c", 0, 0)], &memory, &pod, 60), ["stop c 1"]);
    assert_eq!(with(vec![exited("c", 0, 0, 61, 143)], &memory, &pod, 62), [""; 0]);
}

#[test]
fn a_pod_that_ended_never_runs_again() {
    let mut pod = simple("OnFailure");
    pod.status = Some(serde_json::from_value(json!({"phase": "Failed"})).unwrap());
    assert_eq!(words(&pod, None, &Memory::new(at(0)), 0), [""; 0]);
}

#[test]
fn after_the_machines_restart_runs_are_counted_on() {
    let mut pod = simple("Always");
    let status = json!({"phase": "Running", "containerStatuses": [
        {"name": "c", "image": "a", "imageID": "", "ready": true, "restartCount": 4, "containerID": "raftsman://x"}]});
    pod.status = Some(serde_json::from_value(status).unwrap());
    assert_eq!(with(vec![], &prepared(&["c"]), &pod, 0), ["start c 5"]);
}

#[test]
fn a_fenced_pod_runs_by_a_word_alone() {
    let fence = |holds, told| Fence { fenced: true, holds, told };
    let status = |epoch| Some(FenceStatus { epoch, frozen: epoch == 0 });
    let run = || vec![running("c", 0, 0)];
    let memory = |asked: Option<u32>, word| Memory {
        asked: asked.map(|epoch| (epoch, String::new())),
        word,
        ..prepared(&["c"])
    };
    for (what, fence, admitted, runs, asked, word, expected) in [
        ("no promise holds", fence(None, 0), 0, vec![], None, None, vec![]),
        ("not everything is told yet", fence(Some(2), 1), 0, vec![], None, None, vec![]),
        ("a new pod", fence(Some(2), 2), 0, vec![], None, None, vec!["ask 2"]),
        ("no answer yet", fence(Some(2), 2), 0, vec![], Some(2), None, vec![]),
        ("the answer", fence(Some(2), 2), 0, vec![], Some(2), Some(2), vec!["admit 2"]),
        ("it runs", fence(Some(2), 2), 2, vec![], Some(2), Some(2), vec!["start c 0"]),
        ("a new agent finds it running", fence(Some(2), 0), 2, run(), None, None, vec![]),
        ("its promise has ended", fence(None, 2), 2, run(), Some(2), Some(2), vec![]),
        ("another row", fence(Some(3), 2), 0, run(), Some(2), Some(2), vec![]),
        ("another row, all told", fence(Some(3), 3), 0, run(), Some(2), Some(2), vec!["ask 3"]),
    ] {
        let mut observed = root(runs);
        observed.fence = status(admitted);
        let (pod, memory) = (simple("Always"), memory(asked, word));
        let input = Input { fence, ..input(&pod, Some(&observed), &memory, 0) };
        assert_eq!(words_of(&plan(&input)), expected, "{what}");
    }
}

#[test]
fn what_is_frozen_is_not_stopped_and_what_was_given_away_goes_without_another_breath() {
    let mut observed = root(vec![running("c", 0, 0)]);
    observed.fence = Some(FenceStatus { epoch: 0, frozen: true });
    let mut pod = simple("Always");
    pod.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    let memory = prepared(&[]);
    let fence = Fence { fenced: true, holds: Some(2), told: 1 };
    let mut held = Input { fence, ..input(&pod, Some(&observed), &memory, 0) };
    assert_eq!(words_of(&plan(&held)), [""; 0]);
    held.orphan = true;
    assert_eq!(words_of(&plan(&held)), ["remove"]);
}

#[test]
fn an_ended_pod_gives_back_what_it_had_once_the_masters_know() {
    let mut pod = simple("Never");
    let (ended, runs) = (exited("c", 0, 0, 5, 0), running("c", 0, 0));
    let mut memory = prepared(&[]);
    assert_eq!(with(vec![ended.clone()], &memory, &pod, 9), [""; 0], "nobody knows yet");
    pod.status = Some(serde_json::from_value(json!({"phase": "Succeeded"})).unwrap());
    assert_eq!(with(vec![runs], &memory, &pod, 9), ["stop c 30"]);
    assert_eq!(with(vec![ended.clone()], &memory, &pod, 9), ["release"]);
    memory.release = Some(Retry::next(None, at(9), "x", String::new()));
    assert_eq!(with(vec![ended.clone()], &memory, &pod, 9), ["wake 9"]);
    assert_eq!(with(vec![ended.clone()], &memory, &pod, 10), ["release"]);
    let released = PodStatus { released: true, ready: false, ..root(vec![ended]) };
    assert_eq!(words(&pod, Some(&released), &Memory::new(at(0)), 11), [""; 0], "once, and also for a new agent");
    let fence = Fence { fenced: true, holds: Some(2), told: 2 };
    let fenced = Input { fence, ..input(&pod, Some(&released), &memory, 11) };
    assert_eq!(words_of(&plan(&fenced)), [""; 0], "it needs no word");
}

#[test]
fn in_new_namespaces_init_containers_run_again() {
    let of = |policy: &str| {
        pod(json!({"restartPolicy": policy, "initContainers": [
            {"name": "i", "image": "a"}, {"name": "s", "image": "a", "restartPolicy": "Always"}],
            "containers": [{"name": "c", "image": "a"}]}))
    };
    let before = || vec![exited("i", 0, 0, 1, 0), exited("s", 0, 1, 50, 137), exited("c", 0, 2, 50, 137)];
    let rebuilt = |containers| PodStatus { root_since: Some(system(49)), ..root(containers) };
    let memory = prepared(&["i", "s", "c"]);
    let plan = |policy: &str, runs: Vec<ContainerStatus>| words(&of(policy), Some(&rebuilt(runs)), &memory, 60);
    for policy in ["Always", "OnFailure"] {
        assert_eq!(plan(policy, before()), ["start i 1"], "{policy}");
    }
    assert_eq!(plan("Never", before()), [""; 0], "what it was for is over");
    let mut runs = before();
    runs.push(running("i", 1, 60));
    assert_eq!(plan("Always", runs.clone()), [""; 0]);
    runs.pop();
    runs.push(exited("i", 1, 60, 61, 0));
    assert_eq!(
        words(&of("Always"), Some(&rebuilt(runs.clone())), &memory, 62),
        ["start s 1"],
        "in order, as the first time"
    );
    runs.push(running("s", 1, 62));
    assert_eq!(words(&of("Always"), Some(&rebuilt(runs)), &memory, 62), ["start c 1"]);
    // Without a new root nothing of that.
    assert_eq!(words(&of("Always"), Some(&root(before())), &memory, 60), ["start s 1", "start c 1"]);
}

#[test]
fn sidecars_have_what_is_left_of_the_grace() {
    let mut pod = pod(json!({"terminationGracePeriodSeconds": 20, "initContainers": [
        {"name": "s1", "image": "a", "restartPolicy": "Always"}, {"name": "s2", "image": "a", "restartPolicy": "Always"}],
        "containers": [{"name": "c", "image": "a"}]}));
    pod.metadata.deletion_timestamp = Some(crate::time::seconds(at(20)));
    let mut memory = prepared(&[]);
    let side = || vec![running("s1", 0, 0), running("s2", 0, 0)];
    let all = || [side(), vec![running("c", 0, 0)]].concat();
    assert_eq!(with(all(), &memory, &pod, 0), ["stop c 20"]);
    memory.ending_since = Some(at(0));
    assert_eq!(with(side(), &memory, &pod, 15), ["stop s2 5"]);
    let begun = at(20).checked_add(jiff::SignedDuration::from_millis(3)).unwrap();
    memory.container_mut("s2").stop = Some(Stop { attempt: 0, kill_at: begun });
    assert_eq!(with(side(), &memory, &pod, 15), [""; 0], "under way");
    assert_eq!(with(side(), &memory, &pod, 19), [""; 0]);
    memory.container_mut("s2").stop = None;
    assert_eq!(with(vec![running("s1", 0, 0)], &memory, &pod, 20), ["stop s1 2"], "a little at the least");
    pod.metadata.deletion_grace_period_seconds = Some(0);
    assert_eq!(with(vec![running("s1", 0, 0)], &memory, &pod, 20), ["stop s1 0"], "unless at once is asked for");
}

#[test]
fn a_run_of_another_image_gives_way() {
    let of = |image: &str, mut run: ContainerStatus| {
        run.image = image.to_owned();
        run
    };
    for policy in ["Always", "OnFailure", "Never"] {
        let pod = simple(policy);
        let mut memory = prepared(&["c"]);
        assert_eq!(with(vec![of("app:1", running("c", 0, 0))], &memory, &pod, 5), [""; 0]);
        assert_eq!(with(vec![of("", running("c", 0, 0))], &memory, &pod, 5), [""; 0], "an earlier version's");
        let input = root(vec![of("app:0", running("c", 0, 0))]);
        let plan = plan(&super::fixture::input(&pod, Some(&input), &memory, 5));
        let [PodAction::Stop { grace, why, cause, .. }] = plan.actions.as_slice() else {
            panic!("{plan:?}");
        };
        assert_eq!(
            (grace.as_secs(), why.as_str(), *cause),
            (30, "Container c definition changed, will be restarted", super::StopCause::Replaced)
        );
        memory.container_mut("c").replaced = Some(0);
        memory.container_mut("c").streak = Some(9);
        let over = || vec![of("app:0", exited("c", 0, 0, 5, 143))];
        assert_eq!(with(over(), &memory, &pod, 5), ["start c 1"], "{policy}: at once");
        let seen = super::status(&super::fixture::input(&pod, Some(&root(over())), &memory, 5));
        assert_eq!(seen.phase.as_deref(), Some("Running"), "{policy}");
    }
}
