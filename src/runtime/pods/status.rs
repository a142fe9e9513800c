//! What is on disk of pods and containers.

use crate::border::{ContainerPhase, ContainerSpec, ContainerStatus, Exit, PodSpec, PodStatus, RuntimeError};
use crate::images::disk;
use crate::pods::config::{PodPaths, PodsConfig};
use crate::pods::pidfd;
use crate::supervisor::fence::FenceRecord;
use crate::supervisor::protocol::{CONTAINERS, PROCESS_FILE, Privileges, STATE_FILE, State};
use crate::supervisor::{Processes, record};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::pods::users::User;

/// A pod, as recorded by the agent (`pod.json`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PodRecord {
    /// What it was made from.
    pub spec: PodSpec,
    /// Its address.
    pub address: Option<IpAddr>,
}

/// A pod's namespaces, as recorded when they were made (`root.json`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RootRecord {
    /// Just before.
    pub since: SystemTime,
}

/// A pod that will never run again (`released`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Released {
    /// All that was to be given back was.
    pub whole: bool,
}

/// In a container's directory.
pub(crate) const CONTAINER_FILE: &str = "container.json";

/// A container, as recorded by the agent before it is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    /// Its id.
    pub id: String,
    /// What it was made from.
    pub spec: ContainerSpec,
    /// Who it is.
    pub user: UserRecord,
    /// Its environment.
    pub env: Vec<String>,
    /// Its working directory.
    pub cwd: String,
    /// What it may do.
    pub privileges: Privileges,
    /// Its cgroup.
    pub cgroup: String,
    /// The image's stop signal.
    pub stop_signal: String,
    /// When it was recorded.
    pub created_at: SystemTime,
}

/// A user on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    home: String,
}

impl From<&User> for UserRecord {
    fn from(user: &User) -> Self {
        Self { uid: user.uid, gid: user.gid, groups: user.groups.clone(), home: user.home.clone() }
    }
}

impl From<&UserRecord> for User {
    fn from(user: &UserRecord) -> Self {
        Self { uid: user.uid, gid: user.gid, groups: user.groups.clone(), home: user.home.clone() }
    }
}

/// A container with its live state.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What was recorded before it was started.
    pub record: ContainerRecord,
    /// What the supervisor recorded; absent until it is made.
    pub state: Option<State>,
    /// Its directory.
    pub directory: PathBuf,
}

impl Found {
    /// Its first process runs, as far as is recorded.
    pub(crate) fn is_running(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.exit.is_none() && state.process.is_some())
    }

    fn status(&self) -> ContainerStatus {
        let phase = match &self.state {
            Some(State { exit: Some(exit), started_at, .. }) => {
                ContainerPhase::Exited { started_at: *started_at, exit: exit.clone() }
            }
            Some(State { started_at: Some(started_at), .. }) => ContainerPhase::Running { started_at: *started_at },
            _ => ContainerPhase::Created,
        };
        let process = self.state.as_ref().and_then(|state| state.process);
        ContainerStatus {
            id: self.record.id.clone(),
            name: self.record.spec.name.clone(),
            attempt: self.record.spec.attempt,
            image_id: self.record.spec.image_id.clone(),
            image: self.record.spec.image.clone(),
            pid: process.filter(|_| self.is_running()).map(|process| process.pid),
            phase,
        }
    }
}

/// The state of a container that never ran.
pub(crate) fn never_started(code: i32, message: String) -> State {
    let exit = Exit { code, signal: None, oom_killed: false, finished_at: SystemTime::now(), message };
    State { boot_id: record::boot_id(), process: None, started_at: None, ended: None, exit: Some(exit) }
}

/// All pods that were made.
pub(crate) fn uids(config: &PodsConfig) -> Result<Vec<String>, RuntimeError> {
    let mut uids = Vec::new();
    for entry in fs::read_dir(config.pods()).map_err(disk(config.pods().display()))?.flatten() {
        let uid = entry.file_name().to_string_lossy().into_owned();
        if config.pod(&uid).record().exists() {
            uids.push(uid);
        }
    }
    uids.sort();
    Ok(uids)
}

/// A pod's record.
pub(crate) fn record_of(paths: &PodPaths, uid: &str) -> Result<PodRecord, RuntimeError> {
    let found = record::read(&paths.record()).map_err(disk(format!("pod {uid}")))?;
    found.ok_or_else(|| RuntimeError::NotFound(format!("pod {uid}")))
}

/// Who supervises a pod.
pub(crate) fn processes(paths: &PodPaths) -> Option<Processes> {
    record::read(&paths.file(PROCESS_FILE)).ok().flatten()
}

/// All containers of a pod, the oldest first.
pub(crate) fn containers(paths: &PodPaths) -> Vec<Found> {
    let mut found: Vec<Found> = fs::read_dir(paths.directory.join(CONTAINERS))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let directory = entry.path();
            let record = record::read(&directory.join(CONTAINER_FILE)).ok().flatten()?;
            let state = record::read(&directory.join(STATE_FILE)).ok().flatten();
            Some(Found { record, state, directory })
        })
        .collect();
    found.sort_by_key(|container: &Found| (container.record.created_at, container.record.spec.attempt));
    found
}

/// The newest run of a container.
pub(crate) fn newest(paths: &PodPaths, name: &str) -> Option<Found> {
    containers(paths).into_iter().filter(|it| it.record.spec.name == name).max_by_key(|it| it.record.spec.attempt)
}

/// A pod.
pub(crate) fn pod(config: &PodsConfig, uid: &str) -> Result<PodStatus, RuntimeError> {
    let paths = config.pod(uid);
    let record = record_of(&paths, uid)?;
    let release: Option<Released> = record::read(&paths.released()).ok().flatten();
    let (over, released) = (release.is_some(), release.is_some_and(|release| release.whole));
    let ready = !over && processes(&paths).is_some_and(|processes| pidfd::is_alive(processes.supervisor));
    let root: Option<RootRecord> = record::read(&paths.root()).ok().flatten();
    let netns = (!record.spec.host_network).then(|| paths.pins.join("net"));
    let containers = containers(&paths).iter().map(Found::status).collect();
    // What cannot be read admits nothing.
    let fence = record.spec.fenced.then(|| FenceRecord::read(&paths.directory).unwrap_or_default());
    let (spec, address, root_since) = (record.spec, record.address, root.map(|root| root.since));
    Ok(PodStatus { spec, netns, address, fence, ready, root_since, released, containers })
}
