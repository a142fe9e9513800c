//! What comes next for one container.

use super::backoff::{CRASH_MOST, CRASH_RESET, crash_delay};
use super::container::{Containers, Kind, RestartPolicy};
use super::{Input, Run, RunState, runs};
use crate::time::after;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use std::time::Duration;

/// What comes next for one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A run is due.
    Start(u32),
    /// A run is due later: it ended too soon too often.
    BackOff {
        /// Then.
        at: Timestamp,
        /// How long the wait is in all.
        delay: Duration,
    },
    /// It runs.
    Running,
    /// It has ended and stays so, well.
    Done,
    /// It has ended and stays so, badly.
    Failed,
}

/// Whether a run that ended was long enough to clear the record.
fn long(run: &Run) -> bool {
    match &run.state {
        RunState::Exited { started: Some(started), finished, .. } => after(*started, CRASH_RESET) <= *finished,
        _ => false,
    }
}

/// Short runs in a row, the newest one included.
pub(super) fn streak(input: &Input<'_>, name: &str, newest: &Run) -> u32 {
    if long(newest) {
        return 1;
    }
    let before = input.memory.container(name).and_then(|container| container.streak);
    // An agent younger than the container knows its restarts only.
    before.unwrap_or(newest.attempt).saturating_add(1)
}

/// The first run's number: a pod that ran here before and lost everything (the machine was restarted) goes on counting.
fn first(pod: &Pod, name: &str) -> u32 {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let known = init.iter().chain(main).find(|status| status.name == name);
    match known {
        Some(known) if known.container_id.as_deref().is_some_and(|id| !id.is_empty()) => {
            u32::try_from(known.restart_count).unwrap_or(0).saturating_add(1)
        }
        _ => 0,
    }
}

/// What the pod is for still has to run.
fn runs_again(input: &Input<'_>) -> bool {
    let policy = RestartPolicy::of(input.pod);
    let mut mains = Containers::of(input.pod).filter(|(kind, _)| *kind == Kind::Main);
    mains.any(|(kind, container)| {
        let newest = runs(input.observed, input.memory, &container.name).into_iter().next();
        newest.and_then(|run| run.code()).is_none_or(|code| policy.again(kind, code))
    })
}

/// What comes next for this container, whose newest run is `newest`.
pub fn next(input: &Input<'_>, kind: Kind, container: &Container, newest: Option<&Run>) -> Next {
    let Some(run) = newest else {
        return Next::Start(first(input.pod, &container.name));
    };
    let (code, finished) = match &run.state {
        RunState::Created => return Next::Start(run.attempt),
        RunState::Running { .. } => return Next::Running,
        RunState::Exited { code, finished, .. } => (*code, *finished),
    };
    if input.memory.container(&container.name).is_some_and(|memory| memory.replaced == Some(run.attempt)) {
        return Next::Start(run.attempt.saturating_add(1));
    }
    if kind == Kind::Init && code == 0 && !input.of_this_root(run) && runs_again(input) {
        return Next::Start(run.attempt.saturating_add(1));
    }
    if !RestartPolicy::of(input.pod).again(kind, code) {
        return if code == 0 { Next::Done } else { Next::Failed };
    }
    let delay = crash_delay(streak(input, &container.name, run)).min(CRASH_MOST);
    let at = after(finished, delay);
    if at > input.now { Next::BackOff { at, delay } } else { Next::Start(run.attempt.saturating_add(1)) }
}
