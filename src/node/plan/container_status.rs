//! `status.containerStatuses`: one container as people see it.

use super::container::{Kind, RestartPolicy};
use super::next::{Next, next};
use super::planner::{full_name, started};
use super::{ImageState, Input, Run, RunState, VolumeState, pull_error_shown, runs};
use crate::time::{after, seconds};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
};

fn container_id(run: &Run) -> Option<String> {
    run.id.as_ref().map(|id| format!("raftsman://{id}"))
}

fn terminated(run: &Run) -> Option<ContainerState> {
    let RunState::Exited { started, finished, code, signal, reason, message } = &run.state else {
        return None;
    };
    Some(ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: container_id(run),
            exit_code: *code,
            finished_at: Some(seconds(*finished)),
            message: (!message.is_empty()).then(|| message.clone()),
            reason: Some((*reason).to_owned()),
            signal: signal.filter(|signal| *signal != 0),
            started_at: started.map(seconds),
        }),
        ..ContainerState::default()
    })
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message }),
        ..ContainerState::default()
    }
}

/// Why a container that should start has not.
fn start_waits(input: &Input<'_>, container: &Container, initialized: bool) -> ContainerState {
    if let Some(ImageState::Failed(retry)) = input.memory.images.get(&container.name) {
        let shown = after(retry.failed_at, pull_error_shown(retry.failures)) > input.now;
        if retry.reason == "ErrImagePull" && !shown {
            let image = container.image.as_deref().unwrap_or_default();
            let text = format!("Back-off pulling image \"{image}\": ErrImagePull: {}", retry.message);
            return waiting("ImagePullBackOff", Some(text));
        }
        return waiting(&retry.reason, Some(retry.message.clone()));
    }
    if let Some(retry) = input.memory.container(&container.name).and_then(|memory| memory.unmade.as_ref()) {
        return waiting(&retry.reason, Some(retry.message.clone()));
    }
    let has_init =
        input.pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref()).is_some_and(|all| !all.is_empty());
    if !initialized && has_init {
        return waiting("PodInitializing", None);
    }
    waiting("ContainerCreating", None)
}

/// What one container's status is made of.
pub(super) struct Seen {
    /// Its part.
    pub kind: Kind,
    /// What comes next for it.
    pub next: Next,
    /// Its status.
    pub status: ContainerStatus,
}

impl Seen {
    /// The init container has done its work, the sidecar has started.
    pub fn initialized(&self) -> bool {
        match self.kind {
            Kind::Init => self.next == Next::Done,
            Kind::Sidecar => self.status.started == Some(true),
            Kind::Main => true,
        }
    }
}

/// One container. `initialized`: those before it let it start; `ending`: it will not run again.
pub(super) fn container_status(
    input: &Input<'_>,
    kind: Kind,
    container: &Container,
    initialized: bool,
    ending: bool,
) -> Seen {
    let name = &container.name;
    let all = runs(input.observed, input.memory, name);
    let newest = all.first();
    let next = next(input, kind, container, newest);
    let mut last = all.get(1);
    let state = match newest {
        Some(run) if run.running() => {
            let RunState::Running { since } = run.state else {
                return unknown(kind, next, container);
            };
            let running = Some(ContainerStateRunning { started_at: Some(seconds(since)) });
            ContainerState { running, ..ContainerState::default() }
        }
        Some(run) if run.code().is_some() => match &next {
            Next::BackOff { delay, .. } if !ending => {
                last = newest;
                let pod = full_name(input.pod);
                let text = format!("back-off {} restarting failed container={name} pod={pod}", human(delay.as_secs()));
                waiting("CrashLoopBackOff", Some(text))
            }
            Next::Start(_) if !ending && shown_as_waiting(input, container) => {
                last = newest;
                start_waits(input, container, initialized)
            }
            _ => terminated(run).unwrap_or_default(),
        },
        _ if ending && input.memory.ended.is_none() && newest.is_none() => waiting("ContainerCreating", None),
        _ => start_waits(input, container, initialized),
    };
    let newest_running = newest.filter(|run| run.running());
    let started = started(input, container, newest);
    let ready = match kind {
        Kind::Init => next == Next::Done,
        _ => newest_running.is_some() && started && ready(input, container, newest_running),
    };
    // The newest run's own id, or, while it waits for the next, the id of the one before.
    let shown = newest.or(last);
    let image = shown
        .and_then(|run| input.memory.container(name)?.images.get(&run.attempt).cloned())
        .or_else(|| container.image.clone());
    let status = ContainerStatus {
        container_id: shown.and_then(container_id),
        image: image.unwrap_or_default(),
        image_id: shown.and_then(|run| run.image_id.clone()).unwrap_or_default(),
        last_state: last.and_then(terminated),
        name: name.clone(),
        ready,
        restart_count: newest.map_or(0, |run| i32::try_from(run.attempt).unwrap_or(i32::MAX)),
        started: Some(if kind == Kind::Init { newest_running.is_some() } else { started }),
        state: Some(state),
        ..ContainerStatus::default()
    };
    Seen { kind, next, status }
}

/// A run that ended is shown as such until something keeps the next one from starting.
fn shown_as_waiting(input: &Input<'_>, container: &Container) -> bool {
    matches!(input.memory.images.get(&container.name), Some(ImageState::Failed(_)))
        || input.memory.container(&container.name).is_some_and(|memory| memory.unmade.is_some())
        || matches!(input.memory.volumes, VolumeState::Failed(_))
}

fn ready(input: &Input<'_>, container: &Container, run: Option<&Run>) -> bool {
    if container.readiness_probe.is_none() {
        return true;
    }
    let verdict = input.memory.container(&container.name).and_then(|memory| memory.ready);
    verdict.is_some_and(|(attempt, ready)| ready && run.is_some_and(|run| run.attempt == attempt))
}

fn unknown(kind: Kind, next: Next, container: &Container) -> Seen {
    let status = ContainerStatus { name: container.name.clone(), ..ContainerStatus::default() };
    Seen { kind, next, status }
}

/// `10s`, `2m40s`, `5m0s`: as Go writes durations.
fn human(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// Whether a container of this part fails its pod by ending badly.
pub(super) fn fails_pod(input: &Input<'_>, seen: &Seen) -> bool {
    seen.next == Next::Failed && (seen.kind == Kind::Init || RestartPolicy::of(input.pod) == RestartPolicy::Never)
}
