//! The runs of one container, newest first: the runtime's records and those starts that left none.

use super::Memory;
use crate::time::of_system;
use jiff::Timestamp;
use raftsman_runtime::border::{ContainerPhase, PodStatus as Observed};

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Made, not started.
    Created,
    /// Under way.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Over.
    Exited {
        /// When it began, if it did.
        started: Option<Timestamp>,
        /// When it ended.
        finished: Timestamp,
        /// Its code.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// As `state.terminated.reason` has it.
        reason: &'static str,
        /// The termination message.
        message: String,
    },
}

/// One run of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// From 0.
    pub attempt: u32,
    /// The container's id.
    pub id: Option<String>,
    /// Its image.
    pub image_id: Option<String>,
    /// Its image as it was asked for; empty: not known.
    pub image: String,
    /// Where it is.
    pub state: RunState,
}

impl Run {
    /// It is under way.
    pub fn running(&self) -> bool {
        matches!(self.state, RunState::Running { .. })
    }

    /// Its code, if it is over.
    pub fn code(&self) -> Option<i32> {
        match &self.state {
            RunState::Exited { code, .. } => Some(*code),
            _ => None,
        }
    }
}

fn state(phase: &ContainerPhase) -> RunState {
    match phase {
        ContainerPhase::Created => RunState::Created,
        ContainerPhase::Running { started_at } => RunState::Running { since: of_system(*started_at) },
        ContainerPhase::Exited { started_at, exit } => {
            let reason = match (exit.oom_killed, exit.code, started_at) {
                (true, ..) => "OOMKilled",
                (false, _, None) => "StartError",
                (false, 0, _) => "Completed",
                _ => "Error",
            };
            RunState::Exited {
                started: started_at.map(of_system),
                finished: of_system(exit.finished_at),
                code: exit.code,
                signal: exit.signal,
                reason,
                message: exit.message.clone(),
            }
        }
    }
}

/// All known runs of a container, newest first.
pub fn runs(observed: Option<&Observed>, memory: &Memory, name: &str) -> Vec<Run> {
    let recorded = observed.iter().flat_map(|pod| &pod.containers).filter(|run| run.name == name);
    let mut runs: Vec<Run> = recorded
        .map(|run| Run {
            attempt: run.attempt,
            id: Some(run.id.clone()),
            image_id: Some(run.image_id.clone()),
            image: run.image.clone(),
            state: state(&run.phase),
        })
        .collect();
    for failed in memory.container(name).iter().flat_map(|container| &container.failed_starts) {
        if runs.iter().any(|run| run.attempt == failed.attempt && run.state != RunState::Created) {
            continue;
        }
        runs.retain(|run| run.attempt != failed.attempt);
        runs.push(Run {
            attempt: failed.attempt,
            id: None,
            image_id: None,
            image: String::new(),
            state: RunState::Exited {
                started: None,
                finished: failed.at,
                code: 128,
                signal: None,
                reason: "StartError",
                message: failed.message.clone(),
            },
        });
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.attempt));
    runs
}
