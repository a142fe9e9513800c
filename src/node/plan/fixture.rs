//! Pods and what the runtime has of them, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Fence, ImageState, Input, Memory, VolumeState};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::{ContainerPhase, ContainerStatus, Exit, PodSpec, PodStatus, ResolvedImage};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Seconds after the tests' beginning of time.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_000_000 + i64::try_from(seconds).unwrap()).unwrap()
}

/// The same, as the runtime has it.
pub fn system(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

/// A pod with this spec.
pub fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec})).unwrap()
}

/// A pod with one container.
pub fn simple(policy: &str) -> Pod {
    pod(json!({"restartPolicy": policy, "containers": [{"name": "c", "image": "app:1"}]}))
}

/// A run that goes on.
pub fn running(name: &str, attempt: u32, since: u64) -> ContainerStatus {
    status(name, attempt, ContainerPhase::Running { started_at: system(since) })
}

/// A run that ended.
pub fn exited(name: &str, attempt: u32, from: u64, to: u64, code: i32) -> ContainerStatus {
    let exit = Exit { code, signal: None, oom_killed: code == 137, finished_at: system(to), message: String::new() };
    status(name, attempt, ContainerPhase::Exited { started_at: Some(system(from)), exit })
}

fn status(name: &str, attempt: u32, phase: ContainerPhase) -> ContainerStatus {
    let id = format!("{name}{attempt}");
    let (name, image_id, image) = (name.to_owned(), "sha256:i".to_owned(), String::new());
    ContainerStatus { id, name, attempt, image_id, image, phase, pid: None }
}

/// A root with an address, and these runs.
pub fn root(containers: Vec<ContainerStatus>) -> PodStatus {
    PodStatus {
        spec: PodSpec { uid: "u".to_owned(), ..PodSpec::default() },
        netns: Some(PathBuf::from("/ns")),
        address: Some(IpAddr::V4(Ipv4Addr::new(10, 244, 1, 2))),
        fence: None,
        ready: true,
        root_since: None,
        released: false,
        containers,
    }
}

/// Everything is prepared and these containers' images are here.
pub fn prepared(images: &[&str]) -> Memory {
    let mut memory = Memory { volumes: VolumeState::Ready, attached: true, ..Memory::new(at(0)) };
    for name in images {
        let image = ResolvedImage { id: "sha256:i".to_owned(), digest: String::new(), config: Default::default() };
        memory.images.insert((*name).to_owned(), ImageState::Present(image));
    }
    memory
}

/// All of it, at this second.
pub fn input<'a>(pod: &'a Pod, observed: Option<&'a PodStatus>, memory: &'a Memory, now: u64) -> Input<'a> {
    let host_ip = IpAddr::V4(Ipv4Addr::new(10, 89, 0, 11));
    Input { pod, orphan: false, observed, memory, network_ready: true, fence: Fence::default(), host_ip, now: at(now) }
}
