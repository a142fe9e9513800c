//! What a plan says.

use super::Message;
use jiff::Timestamp;
use std::time::Duration;

/// One step for one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodAction {
    /// Prepare the pod's volumes.
    SetUpVolumes,
    /// Make the pod's root.
    CreateRoot,
    /// Give the pod its interface and address, and record it.
    AttachNetwork,
    /// Have the container's image on this machine, by its pull policy. Takes time.
    EnsureImage {
        /// The container's name.
        container: String,
    },
    /// Start a run of a container.
    Start {
        /// The container's name.
        container: String,
        /// The run.
        attempt: u32,
    },
    /// End a container's run. Takes time.
    Stop {
        /// The container's name.
        container: String,
        /// Which run.
        attempt: u32,
        /// How long it may take before it is killed.
        grace: Duration,
        /// Why, for the Event.
        why: String,
        /// What it is part of.
        cause: StopCause,
    },
    /// Forget an old run.
    Forget {
        /// The container's name.
        container: String,
        /// The run.
        attempt: u32,
    },
    /// Ask for a leader's word that the pod is still this node's.
    AskWord {
        /// For this epoch of the node's promise.
        epoch: u32,
    },
    /// Hand a leader's word to the pod's supervisor.
    Admit {
        /// For this epoch of the node's promise.
        epoch: u32,
    },
    /// The pod has ended: give back all but what is known of it.
    Release,
    /// Take everything of the pod off this machine.
    RemoveRoot,
    /// Tell the masters that nothing is left.
    Gone,
    /// Tell people, once.
    Announce {
        /// What.
        event: PodEvent,
        /// Remembered by this: container, subject, number.
        once: Once,
    },
    /// The pod will never run again: remember why.
    End {
        /// `status.reason`.
        reason: String,
        /// `status.message`.
        message: String,
    },
}

/// What a stop is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// The whole pod ends: all stops of it share one grace.
    PodEnds,
    /// The run is bad.
    Condemned,
    /// The run is of an image that is no longer asked for: another one follows, whatever the restart policy.
    Replaced,
}

/// What an Event that is told once is remembered by: container, subject, number.
pub type Once = (String, String, u32);

/// An Event about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEvent {
    /// The container that it is about.
    pub container: Option<String>,
    /// What it says.
    pub message: Message,
}

/// The actions that are due, in order, and when to plan again if nothing happens before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Due now.
    pub actions: Vec<PodAction>,
    /// Something will be due then.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    pub(super) fn act(&mut self, action: PodAction) {
        self.actions.push(action);
    }

    pub(super) fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |other| other.min(at)));
    }
}
