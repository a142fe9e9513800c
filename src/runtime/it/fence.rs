//! Fenced pods on a real kernel, with real freezers, as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

mod kit;

use kit::{Machine, pod};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use raftsman_runtime::border::{FenceStatus, PodSpec, Pods as _, Promise, RuntimeError};
use raftsman_runtime::{LocalPods, boottime};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(20);

/// Lines that a container writes into a volume of its pod.
struct Lines(PathBuf);

impl Lines {
    fn count(&self) -> usize {
        std::fs::read_to_string(&self.0).unwrap_or_default().lines().count()
    }

    /// Waits for another line.
    async fn grow(&self) {
        let before = self.count();
        until(|| self.count() > before).await;
    }
}

async fn until(mut is_true: impl FnMut() -> bool) {
    let begun = boottime();
    while !is_true() {
        assert!(boottime() - begun < LIMIT, "it does not become true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn fenced(uid: &str) -> PodSpec {
    PodSpec { fenced: true, ..pod(uid) }
}

/// An agent that renews, until it is dropped: the promise ends soon after.
struct Renewing(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Renewing {
    fn begin(pods: &LocalPods, epoch: u32) -> Self {
        let (goes_on, pods) = (Arc::new(AtomicBool::new(true)), pods.clone());
        let flag = goes_on.clone();
        pods.set_promise(promise(epoch, SHORT));
        let renew = move || {
            while flag.load(Ordering::SeqCst) {
                pods.set_promise(promise(epoch, SHORT));
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        Self(goes_on, Some(std::thread::spawn(renew)))
    }
}

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
        self.1.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn promise(epoch: u32, holds: Duration) -> Promise {
    Promise { epoch, until: boottime() + holds }
}

/// A pod that writes a line every 20 ms, if it may start.
async fn writer(machine: &Machine, pods: &LocalPods, spec: &PodSpec) -> Result<Lines, RuntimeError> {
    pods.create_pod(spec).await.unwrap();
    let volume = pods.pod_dir(&spec.uid).join("volumes/v");
    std::fs::create_dir_all(&volume).unwrap();
    let mut container = machine.shell("c", "while :; do echo x >> /v/lines; sleep 0.02; done");
    container.mounts = vec![raftsman_runtime::border::Mount {
        source: raftsman_runtime::border::MountSource::Bind(volume.clone()),
        target: PathBuf::from("/v"),
        read_only: false,
    }];
    pods.start_container(&spec.uid, &container).await?;
    Ok(Lines(volume.join("lines")))
}

async fn fence(pods: &LocalPods, uid: &str) -> FenceStatus {
    pods.pod(uid).await.unwrap().fence.unwrap()
}

async fn frozen(pods: &LocalPods, uid: &str) {
    let begun = boottime();
    while !fence(pods, uid).await.frozen {
        assert!(boottime() - begun < LIMIT, "pod {uid} is not frozen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Nothing runs: no line comes in many times the writer's pace.
async fn is_still(lines: &Lines) {
    let before = lines.count();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lines.count(), before, "it runs");
}

fn process(machine: &Machine, uid: &str, which: &str) -> Pid {
    let path = machine.config.state_dir.join("pods").join(uid).join("supervisor.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    Pid::from_raw(i32::try_from(json[which]["pid"].as_i64().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_pod_runs_while_the_promise_holds_and_goes_on_by_a_word() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let refused = writer(&machine, &pods, &fenced("a")).await.err().unwrap();
    assert!(matches!(&refused, RuntimeError::Transient(why) if why.contains("frozen")), "{refused}");
    assert!(!pods.admit_pod("a", 1).await.unwrap(), "there is no promise");
    let renewing = Renewing::begin(&pods, 1);
    assert!(!pods.admit_pod("a", 2).await.unwrap(), "the promise is of another row");
    assert!(pods.admit_pod("a", 1).await.unwrap());
    let lines = writer(&machine, &pods, &fenced("a")).await.unwrap();
    let free = writer(&machine, &pods, &pod("free")).await.unwrap();
    lines.grow().await;
    assert_eq!(fence(&pods, "a").await, FenceStatus { epoch: 1, frozen: false });

    // A guard that is killed is replaced.
    let guard = process(&machine, "a", "guard");
    kill(guard, Signal::SIGKILL).unwrap();
    until(|| process(&machine, "a", "guard") != guard).await;
    // Moved on in time, it runs past the first end.
    let first = boottime() + SHORT * 2;
    until(|| boottime() > first).await;
    lines.grow().await;
    assert!(!fence(&pods, "a").await.frozen);
    drop(renewing);
    frozen(&pods, "a").await;
    is_still(&lines).await;
    free.grow().await;
    assert!(pods.pod("free").await.unwrap().fence.is_none());
    pods.set_promise(promise(1, LONG));
    is_still(&lines).await;
    let exec = raftsman_runtime::border::ExecRequest {
        container: "c".to_owned(),
        command: vec!["true".to_owned()],
        tty: false,
    };
    let refused = pods.exec("a", exec.clone(), kit::NO_IO).await.unwrap_err();
    assert!(refused.to_string().contains("frozen"), "{refused}");
    let renewing = Renewing::begin(&pods, 2);
    assert!(pods.admit_pod("a", 2).await.unwrap());
    lines.grow().await;
    assert_eq!(pods.exec("a", exec, kit::NO_IO).await.unwrap(), 0);
    assert_eq!(pods.pod("a").await.unwrap().containers.len(), 1, "nothing was started again");

    // What was given away goes without running again.
    drop(renewing);
    frozen(&pods, "a").await;
    let kept = std::fs::File::open(&lines.0).unwrap();
    let before = kept.metadata().unwrap().len();
    pods.remove_pod("a").await.unwrap();
    assert_eq!(kept.metadata().unwrap().len(), before, "it ran again");
    pods.remove_pod("free").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promise_ends_though_agent_and_supervisor_are_dead_or_stopped() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let renewing = Renewing::begin(&pods, 1);
    for uid in ["stopped", "guardless", "killed", "orphaned"] {
        pods.create_pod(&fenced(uid)).await.unwrap();
        assert!(pods.admit_pod(uid, 1).await.unwrap());
    }
    let mut lines = Vec::new();
    for uid in ["stopped", "guardless", "killed", "orphaned"] {
        lines.push(writer(&machine, &pods, &fenced(uid)).await.unwrap());
    }
    for lines in &lines {
        lines.grow().await;
    }
    // The supervisor is stopped: its guard freezes the pod. The guard is stopped: the supervisor does.
    let stopped = process(&machine, "stopped", "supervisor");
    kill(stopped, Signal::SIGSTOP).unwrap();
    kill(process(&machine, "guardless", "guard"), Signal::SIGSTOP).unwrap();
    // The supervisor is killed and replaced: no container stops, and the new one takes over the promise.
    let killed = process(&machine, "killed", "supervisor");
    kill(killed, Signal::SIGKILL).unwrap();
    until(|| process(&machine, "killed", "supervisor") != killed).await;
    until(|| machine.config.state_dir.join("pods/killed/supervisor.sock").exists()).await;
    lines[2].grow().await;
    // No agent any more, and then no supervisor.
    drop(renewing);
    let ends = pods.promise().until;
    drop(pods);
    kill(process(&machine, "orphaned", "supervisor"), Signal::SIGKILL).unwrap();
    until(|| boottime() > ends + Duration::from_millis(500)).await;
    for lines in &lines {
        is_still(lines).await;
    }
    // An agent comes, and everything goes on by its word alone.
    kill(stopped, Signal::SIGCONT).unwrap();
    let pods = machine.agent().await;
    for lines in &lines {
        is_still(lines).await;
    }
    pods.set_promise(promise(2, LONG));
    for (uid, lines) in ["stopped", "guardless", "killed", "orphaned"].iter().zip(&lines) {
        frozen(&pods, uid).await;
        assert!(pods.admit_pod(uid, 2).await.unwrap());
        lines.grow().await;
        assert_eq!(pods.pod(uid).await.unwrap().containers.len(), 1, "{uid} was started again");
    }
    kill(process(&machine, "guardless", "guard"), Signal::SIGCONT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_processes_stopped_at_once_are_too_late_for_nothing() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let renewing = Renewing::begin(&pods, 1);
    pods.create_pod(&fenced("a")).await.unwrap();
    assert!(pods.admit_pod("a", 1).await.unwrap());
    let lines = writer(&machine, &pods, &fenced("a")).await.unwrap();
    lines.grow().await;
    // As if the whole machine slept: the container's processes too.
    let asleep = [process(&machine, "a", "supervisor"), process(&machine, "a", "guard")];
    let inside = pods.pod("a").await.unwrap().containers[0].pid.unwrap();
    for pid in asleep.iter().chain([&Pid::from_raw(inside)]) {
        kill(*pid, Signal::SIGSTOP).unwrap();
    }
    drop(renewing);
    let ends = pods.promise().until;
    until(|| boottime() > ends).await;
    for pid in &asleep {
        kill(*pid, Signal::SIGCONT).unwrap();
    }
    frozen(&pods, "a").await;
    kill(Pid::from_raw(inside), Signal::SIGCONT).unwrap();
    is_still(&lines).await;
}
