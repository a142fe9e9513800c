//! Agents and supervisors that are killed.

use crate::common::{output, request, supervisor_of};
use crate::kit::{Machine, exit, log, pod, status};
use raftsman_runtime::border::{ContainerPhase, LogOptions, Pods as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_stream::StreamExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_finds_what_runs() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    pods.start_container("a", &machine.shell("main", "echo first; sleep 1000")).await.unwrap();
    pods.set_address("a", "10.1.1.1".parse().unwrap()).await.unwrap();
    let before = status(&pods, "a", "main").await;
    drop(pods);

    let pods = machine.agent().await;
    let found = pods.pods().await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].ready);
    assert_eq!(found[0].address, Some("10.1.1.1".parse().unwrap()));
    assert_eq!(found[0].containers, [before]);
    assert_eq!(output(&pods, "a", request("main", "echo hi", false)).await, (0, "hi\n".to_owned()));
    let mut events = pods.events();
    pods.stop_container("a", "main", Duration::ZERO).await.unwrap();
    assert!(events.recv().await.is_ok());
    assert_eq!(exit(&pods, "a", "main").await.code, 137);
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_outlive_their_supervisor() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let script = "i=0; while [ ! -e /tmp/stop ]; do echo tick $i; i=$((i+1)); sleep 0.05; done; exit 9";
    pods.start_container("a", &machine.shell("main", script)).await.unwrap();
    let before = status(&pods, "a", "main").await;
    let netns = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let old = supervisor_of(&machine, "a");
    let network = netns(old);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(old), nix::sys::signal::Signal::SIGKILL).unwrap();
    let mut events = pods.events();
    while supervisor_of(&machine, "a") == old || !pods.pod("a").await.unwrap().ready {
        tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
    }
    assert_eq!(status(&pods, "a", "main").await, before);
    assert_eq!(netns(supervisor_of(&machine, "a")), network);
    // Everything still works: exec, a new container in the same network, and the exit code.
    pods.start_container("a", &machine.shell("second", "exit 2")).await.unwrap();
    assert_eq!(exit(&pods, "a", "second").await.code, 2);
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let mut stream = pods.logs("a", "main", follow).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("tick 9\n") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    let (code, _) = output(&pods, "a", request("main", "touch /tmp/stop", false)).await;
    assert_eq!(code, 0);
    assert_eq!(exit(&pods, "a", "main").await.code, 9);
    let text = log(&pods, "a", "main", LogOptions::default()).await;
    for (expected, line) in text.lines().enumerate() {
        assert_eq!(line, format!("tick {expected}"), "no line is lost");
    }
    assert!(text.lines().count() > 9);
}

/// Not a test: an agent in a process of its own, for [`a_killed_agent_stops_nothing`].
#[tokio::test]
#[ignore = "run by another test"]
async fn agent_process() {
    let Ok(directory) = std::env::var("RAFTSMAN_TEST_MACHINE") else {
        return;
    };
    let machine = std::mem::ManuallyDrop::new(Machine::at(Path::new(&directory)).await);
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let script = "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.05; done";
    pods.start_container("a", &machine.shell("main", script)).await.unwrap();
    std::fs::write(machine.directory.join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_stops_nothing() {
    let machine = Machine::new().await;
    let mut agent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "survival::agent_process", "--ignored"])
        .env("RAFTSMAN_TEST_MACHINE", &machine.directory)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !machine.directory.join("ready").exists() {
        assert!(Instant::now() < deadline && agent.try_wait().unwrap().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    let pods = machine.agent().await;
    let found = pods.pods().await.unwrap();
    assert!(found[0].ready);
    assert!(matches!(found[0].containers[0].phase, ContainerPhase::Running { .. }));
    assert_eq!(found[0].containers[0].attempt, 0);
    let tail = LogOptions { follow: true, tail_lines: Some(0), ..LogOptions::default() };
    let mut stream = pods.logs("a", "main", tail).await.unwrap();
    assert!(stream.next().await.unwrap().unwrap().starts_with(b"tick "), "it still writes");
    assert_eq!(output(&pods, "a", request("main", "echo hi", false)).await.1, "hi\n");
}
