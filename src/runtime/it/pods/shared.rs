//! A pid namespace that all containers of a pod share.

use crate::common::{output, request, supervisor_of};
use crate::kit::{Machine, exit, log, pod, status};
use raftsman_runtime::LocalPods;
use raftsman_runtime::border::{LogOptions, Pods as _};
use std::path::Path;
use std::time::{Duration, Instant};

async fn run(pods: &LocalPods, container: &str, script: &str) -> String {
    let (code, text) = output(pods, "a", request(container, script, false)).await;
    assert_eq!(code, 0, "{script}: {text}");
    text
}

/// The pause process is the first, whoever looks, and containers see each other.
async fn one_namespace(pods: &LocalPods) {
    let namespaces = [run(pods, "one", NAMESPACE).await, run(pods, "two", NAMESPACE).await];
    assert_eq!(namespaces[0], namespaces[1]);
    let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
    assert_ne!(namespaces[0].trim(), own.to_str().unwrap(), "it is not the host's");
    for container in ["one", "two"] {
        assert_eq!(run(pods, container, "cat /proc/1/comm").await, "pause\n", "{container}");
    }
    let seen = run(pods, "two", "ps").await;
    assert!(seen.contains("sleep 1001") && seen.contains("sleep 1002"), "{seen}");
    // Seen, and no more than seen: nothing of the host lies behind it.
    let (code, text) = output(pods, "a", request("one", "ls /proc/1/root/", false)).await;
    assert!(code != 0 || text.is_empty(), "{text}");
}

const NAMESPACE: &str = "busybox readlink /proc/self/ns/pid";

/// A process whose parent has gone is the pause process's child, and no corpse is left of it.
async fn orphans_are_reaped(pods: &LocalPods) {
    let orphan = run(pods, "one", "(sleep 0.2 > /dev/null 2>&1 & echo $!)").await.trim().to_owned();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = run(pods, "two", &format!("cat /proc/{orphan}/stat 2>/dev/null || echo gone")).await;
        if text == "gone\n" {
            return;
        }
        // The fourth field is the parent's pid; the second, a name, has no blanks here.
        let parent = text.split(' ').nth(3).unwrap_or_default();
        assert_eq!(parent, "1", "{text}");
        assert!(Instant::now() < deadline, "nobody reaps it: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_share_a_pid_namespace_whatever_becomes_of_the_supervisor() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let mut spec = pod("a");
    spec.share_pid = true;
    pods.create_pod(&spec).await.unwrap();
    pods.start_container("a", &machine.shell("one", "sleep 1001 & exec sleep 1000")).await.unwrap();
    pods.start_container("a", &machine.shell("two", "sleep 1002 & exec sleep 1000")).await.unwrap();
    one_namespace(&pods).await;
    orphans_are_reaped(&pods).await;
    let namespace = run(&pods, "one", NAMESPACE).await;
    let before = status(&pods, "a", "one").await;

    let old = supervisor_of(&machine, "a");
    let mut events = pods.events();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(old), nix::sys::signal::Signal::SIGKILL).unwrap();
    while supervisor_of(&machine, "a") == old || !pods.pod("a").await.unwrap().ready {
        tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
    }
    assert_eq!(status(&pods, "a", "one").await, before);
    assert_eq!(run(&pods, "one", NAMESPACE).await, namespace);
    one_namespace(&pods).await;
    orphans_are_reaped(&pods).await;
    // Pids of the namespace that are no pid of the machine: whoever mixes them up finds nobody.
    let most = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse::<u32>().unwrap();
    let free = (200..most).find(|pid| !(0..64).any(|next| Path::new(&format!("/proc/{}", pid + next)).exists()));
    let write = format!("echo {} > /proc/sys/kernel/ns_last_pid", free.unwrap());
    let inside = before.pid.unwrap().to_string();
    let written =
        std::process::Command::new("nsenter").args(["--target", &inside, "--pid", "sh", "-c", &write]).status();
    assert!(written.unwrap().success());
    // A container that is started now joins them.
    let script = format!(
        "{NAMESPACE}; cat /proc/1/comm; ps; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    );
    let mut three = machine.shell("three", &script);
    three.limits.memory = Some(48 << 20);
    pods.start_container("a", &three).await.unwrap();
    exit(&pods, "a", "three").await;
    let text = log(&pods, "a", "three", LogOptions::default()).await;
    assert!(text.starts_with(&format!("{namespace}pause\n")) && text.contains("sleep 1001"), "{text}");
    assert!(text.lines().any(|line| line == (48 << 20).to_string()), "it sees its own limit: {text}");
    // One that ends takes its own along, and no other's.
    pods.stop_container("a", "one", Duration::ZERO).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = run(&pods, "two", "ps").await;
        assert!(seen.contains("sleep 1002"), "{seen}");
        if !seen.contains("sleep 1001") {
            return;
        }
        assert!(Instant::now() < deadline, "{seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
