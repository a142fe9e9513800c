//! What several of these tests need.

use crate::kit::{Machine, NO_IO};
use bytes::Bytes;
use raftsman_runtime::border::{AttachIo, ExecRequest, Pods as _};
use std::path::Path;
use tokio::sync::mpsc;

pub fn request(container: &str, script: &str, tty: bool) -> ExecRequest {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    ExecRequest { container: container.to_owned(), command, tty }
}

pub async fn collect(mut receiver: mpsc::Receiver<Bytes>) -> String {
    let mut text = Vec::new();
    while let Some(bytes) = receiver.recv().await {
        text.extend_from_slice(&bytes);
    }
    String::from_utf8_lossy(&text).into_owned()
}

pub async fn output(pods: &raftsman_runtime::LocalPods, uid: &str, request: ExecRequest) -> (i32, String) {
    let (sender, receiver) = mpsc::channel(16);
    let io = AttachIo { stdout: Some(sender), ..NO_IO };
    let (code, text) = tokio::join!(pods.exec(uid, request, io), collect(receiver));
    (code.unwrap(), text)
}

pub fn supervisor_of(machine: &Machine, uid: &str) -> i32 {
    let path = machine.config.state_dir.join("pods").join(uid).join("supervisor.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    i32::try_from(json["supervisor"]["pid"].as_i64().unwrap()).unwrap()
}

pub fn traces(machine: &Machine) -> Vec<String> {
    let name = machine.directory.file_name().unwrap().to_str().unwrap().to_owned();
    let mut found = Vec::new();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(&format!("{name}/state/pods/"))).map(str::to_owned));
    found.extend(mounts.lines().filter(|line| line.contains(&format!("{name}/state/namespaces/"))).map(str::to_owned));
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if command.contains(&format!("{name}/state/pods")) {
            found.push(command);
        }
    }
    for hierarchy in ["memory", "pids", "cpu", "unified", "systemd", "."] {
        let directory = Path::new("/sys/fs/cgroup").join(hierarchy).join("raftsman-test").join(&name);
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("pod") {
                found.push(entry.path().display().to_string());
            }
        }
    }
    for directory in ["pods", "namespaces", "pods/.trash"] {
        let entries = std::fs::read_dir(machine.config.state_dir.join(directory)).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name() != ".trash") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
