//! The pod life-cycle planner: what to do next for one pod, and what to say about it. Pure: time is passed in.
//!
//! [`plan`] looks at the desired pod, at what the runtime has of it, and at the agent's memory (back-off, images, probes); it
//! names the actions that are due now, and when to look again. [`status`] says the same in `core/v1` terms.

mod action;
mod backoff;
mod conditions;
mod container;
mod container_status;
mod fence;
mod memory;
mod message;
mod next;
mod phase;
mod planner;
mod run;
mod status;

pub use action::{Once, Plan, PodAction, PodEvent, StopCause};
pub use backoff::{CRASH_MOST, CRASH_RESET, crash_delay, pull_delay, pull_error_shown};
pub use container::{Containers, Kind, RestartPolicy};
pub use fence::Fence;
pub use memory::{ContainerMemory, FailedStart, ImageState, Memory, Retry, Stop, VolumeState};
pub use message::Message;
pub(crate) use planner::removed;
pub use planner::{EVICTED, FORGOTTEN, plan};
pub use run::{Run, RunState, runs};
pub use status::status;

use crate::time::of_system;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::PodStatus as Observed;
use std::net::IpAddr;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The pod as it should be.
    pub pod: &'a Pod,
    /// The masters no longer know this pod: it must go, and nobody needs to be told.
    pub orphan: bool,
    /// What the runtime has of it; `None`: nothing.
    pub observed: Option<&'a Observed>,
    /// What the agent remembers.
    pub memory: &'a Memory,
    /// The node's own network is configured.
    pub network_ready: bool,
    /// What is known of the node's promise.
    pub fence: Fence,
    /// The node's address.
    pub host_ip: IpAddr,
    /// Now.
    pub now: Timestamp,
}

impl Input<'_> {
    /// Its deletion was asked for, or the masters forgot it.
    pub fn ending(&self) -> bool {
        self.orphan || self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Whether this run has its effects in the namespaces that the pod has now: those of a run before the machine's last start
    /// are gone.
    pub fn of_this_root(&self, run: &Run) -> bool {
        let Some(since) = self.observed.and_then(|pod| pod.root_since) else {
            return true;
        };
        match &run.state {
            RunState::Created | RunState::Running { .. } => true,
            RunState::Exited { started, finished, .. } => started.unwrap_or(*finished) >= of_system(since),
        }
    }

    /// It shares the host's network.
    pub fn host_network(&self) -> bool {
        self.pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod status_tests;
