//! Pods and containers from their start to their end.

use crate::common::traces;
use crate::kit::{Machine, exit, log, pod, status};
use raftsman_runtime::border::{ContainerPhase, LogOptions, Pods as _, RuntimeError};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_tells_how_it_ended() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let made = pods.create_pod(&pod("a")).await.unwrap();
    assert!(made.ready && made.netns.unwrap().exists());
    pods.set_address("a", "10.244.1.7".parse().unwrap()).await.unwrap();
    let mut spec = machine.shell(
        "main",
        "echo out; echo err >&2; echo $FROM_IMAGE $MINE $HOSTNAME; grep pod-a /etc/hosts; cat /etc/resolv.conf; \
         hostname; ls /gone; echo last words > /dev/termination-log; exit 7",
    );
    spec.env = vec![("MINE".to_owned(), "1".to_owned())];
    let id = pods.start_container("a", &spec).await.unwrap();
    assert_eq!(id.len(), 64);
    assert_eq!(pods.start_container("a", &spec).await.unwrap(), id, "starting again is the same");
    let ended = exit(&pods, "a", "main").await;
    assert_eq!((ended.code, ended.signal, ended.oom_killed), (7, None, false));
    assert_eq!(ended.message, "last words\n");
    let text = log(&pods, "a", "main", LogOptions::default()).await;
    let expected =
        ["out", "err", "yes 1 pod-a", "10.244.1.7\tpod-a", "nameserver 10.96.0.10", "pod-a"].map(str::to_owned);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    let mut sorted = expected.to_vec();
    sorted.sort();
    assert_eq!(lines, sorted);
    let tail = LogOptions { tail_lines: Some(1), ..LogOptions::default() };
    assert_eq!(log(&pods, "a", "main", tail).await.lines().count(), 1);

    // The next run, and the log of the one before.
    spec.attempt = 1;
    spec.command[2] = "echo second".to_owned();
    pods.start_container("a", &spec).await.unwrap();
    exit(&pods, "a", "main").await;
    assert_eq!(log(&pods, "a", "main", LogOptions::default()).await, "second\n");
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    assert_eq!(log(&pods, "a", "main", previous).await.lines().count(), 6);
    pods.remove_container("a", "main", 0).await.unwrap();
    assert_eq!(pods.pod("a").await.unwrap().containers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_start_says_why() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    for (attempt, (command, code, words)) in [
        ("no-such-program", 127, "not found in $PATH"),
        ("/bin/no-such-program", 127, "no such file"),
        ("/bin/not-executable", 128, "Permission denied"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = machine.shell("main", "");
        spec.attempt = u32::try_from(attempt).unwrap();
        spec.command = vec![command.to_owned()];
        let error = pods.start_container("a", &spec).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        let ContainerPhase::Exited { started_at: None, exit } = status(&pods, "a", "main").await.phase else {
            panic!("not recorded");
        };
        assert_eq!(exit.code, code);
        assert!(exit.message.contains(words));
    }
    let missing = without_image(&machine);
    assert!(matches!(pods.start_container("a", &missing).await, Err(RuntimeError::NotFound(_))));
    assert!(matches!(pods.pod("b").await, Err(RuntimeError::NotFound(_))));
}

fn without_image(machine: &Machine) -> raftsman_runtime::border::ContainerSpec {
    let mut spec = machine.shell("other", "true");
    spec.image_id = format!("sha256:{}", "0".repeat(64));
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_by_signal_then_by_force() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let polite = machine.shell("polite", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done");
    let stubborn = machine.shell("stubborn", "trap '' TERM; echo ready; while :; do sleep 0.1; done");
    for spec in [&polite, &stubborn] {
        pods.start_container("a", spec).await.unwrap();
        let follow = LogOptions { follow: true, ..LogOptions::default() };
        let mut ready = pods.logs("a", &spec.name, follow).await.unwrap();
        assert_eq!(ready.next().await.unwrap().unwrap(), "ready\n");
    }
    pods.stop_container("a", "polite", Duration::from_secs(20)).await.unwrap();
    assert_eq!(exit(&pods, "a", "polite").await.code, 3);
    pods.stop_container("a", "stubborn", Duration::from_millis(300)).await.unwrap();
    let killed = exit(&pods, "a", "stubborn").await;
    assert_eq!((killed.code, killed.signal, killed.oom_killed), (137, Some(9), false));
    pods.stop_container("a", "stubborn", Duration::from_secs(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let began = Instant::now();
    let starts = (0..20).map(|number| {
        let (pods, uid) = (pods.clone(), format!("p{number}"));
        let spec = machine.shell("main", "sleep 1000");
        async move {
            pods.create_pod(&pod(&uid)).await.unwrap();
            pods.start_container(&uid, &spec).await.unwrap();
        }
    });
    futures::future::join_all(starts).await;
    println!("20 pods in {:?}", began.elapsed());
    let found = pods.pods().await.unwrap();
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|pod| matches!(pod.containers[0].phase, ContainerPhase::Running { .. })));
    futures::future::join_all((0..20).map(|number| {
        let (pods, uid) = (pods.clone(), format!("p{number}"));
        async move { pods.remove_pod(&uid).await.unwrap() }
    }))
    .await;
    assert_eq!(traces(&machine), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_pods_leave_nothing() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let mut shared = pod("b");
    shared.share_pid = true;
    for spec in [pod("a"), shared] {
        pods.create_pod(&spec).await.unwrap();
        pods.start_container(&spec.uid, &machine.shell("one", "sleep 1000 & sleep 1000")).await.unwrap();
        pods.start_container(&spec.uid, &machine.shell("two", "exit 1")).await.unwrap();
    }
    assert!(!traces(&machine).is_empty());
    pods.remove_pod("a").await.unwrap();
    pods.remove_pod("b").await.unwrap();
    pods.remove_pod("b").await.unwrap();
    assert_eq!(traces(&machine), Vec::<String>::new());
    assert!(pods.pods().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_failure_tells_the_end_of_its_log() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let loud = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done";
    let end: String = (20..100).map(|n| format!("line {n}\n")).collect();
    for (name, script, from_log, expected) in [
        ("failed", format!("{loud}; exit 1"), true, end.as_str()),
        ("well", format!("{loud}; exit 0"), true, ""),
        ("file", format!("{loud}; exit 1"), false, ""),
        ("words", format!("{loud}; echo mine > /dev/termination-log; exit 1"), true, "mine\n"),
    ] {
        let mut spec = machine.shell(name, &script);
        spec.termination_message_from_log = from_log;
        pods.start_container("a", &spec).await.unwrap();
        assert_eq!(exit(&pods, "a", name).await.message, expected, "{name}");
    }
}
