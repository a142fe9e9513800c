//! What the agent remembers of a pod between two plans. Lost with the agent; what must outlive it is in the runtime.

use super::backoff;
use crate::time::after;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodStatus;
use raftsman_runtime::border::ResolvedImage;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A failed try, and when the next one is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Failures in a row.
    pub failures: u32,
    /// When it failed last.
    pub failed_at: Timestamp,
    /// Not before.
    pub at: Timestamp,
    /// The reason, one word.
    pub reason: String,
    /// What was wrong.
    pub message: String,
}

impl Retry {
    /// One more failure, with the usual wait.
    pub fn next(last: Option<&Self>, now: Timestamp, reason: &str, message: String) -> Self {
        Self::with(last, now, reason, message, backoff::retry_delay)
    }

    /// One more failure, with this wait.
    pub fn with(
        last: Option<&Self>,
        now: Timestamp,
        reason: &str,
        message: String,
        delay: impl Fn(u32) -> Duration,
    ) -> Self {
        let failures = last.map_or(0, |last| last.failures).saturating_add(1);
        Self { failures, failed_at: now, at: after(now, delay(failures)), reason: reason.to_owned(), message }
    }
}

/// The image of a container's next run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// Being looked for or pulled.
    Working,
    /// Here.
    Present(ResolvedImage),
    /// Not to be had.
    Failed(Retry),
}

/// The pod's volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VolumeState {
    /// Not looked at yet.
    #[default]
    Absent,
    /// All there.
    Ready,
    /// One is not.
    Failed(Retry),
}

/// A run that could not be started and that the runtime has no record of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStart {
    /// The run.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// What was wrong.
    pub message: String,
}

/// A stop under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The run.
    pub attempt: u32,
    /// It is killed then.
    pub kill_at: Timestamp,
}

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerMemory {
    /// Short runs in a row before the newest one; `None`: unknown, the agent is younger than the container.
    pub streak: Option<u32>,
    /// Its next run cannot be made (missing configuration, a busy kernel): nothing was tried as a run.
    pub unmade: Option<Retry>,
    /// Runs that ended before they began.
    pub failed_starts: Vec<FailedStart>,
    /// A probe condemned this run: its number, the Event's words and the grace.
    pub condemned: Option<(u32, String, Option<Duration>)>,
    /// A stop under way.
    pub stop: Option<Stop>,
    /// This run was stopped because its image is no longer asked for.
    pub replaced: Option<u32>,
    /// The image that was asked for last.
    pub image: String,
    /// The startup probe has succeeded in this run.
    pub started: Option<u32>,
    /// The readiness probe's verdict on this run.
    pub ready: Option<(u32, bool)>,
    /// The names of its image and of the image as it runs, by run.
    pub images: BTreeMap<u32, String>,
}

/// One pod.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When the agent first saw it.
    pub first_seen: Timestamp,
    /// Images of the next runs, by container.
    pub images: BTreeMap<String, ImageState>,
    /// Failed pulls of the images that are being looked for again.
    pub pulls: BTreeMap<String, Retry>,
    /// Containers by name.
    pub containers: BTreeMap<String, ContainerMemory>,
    /// Volumes.
    pub volumes: VolumeState,
    /// The root could not be made.
    pub root: Option<Retry>,
    /// The network was asked for this pod's interface in this life of the agent.
    pub attached: bool,
    /// The interface could not be made.
    pub network: Option<Retry>,
    /// Since when the whole pod is being stopped.
    pub ending_since: Option<Timestamp>,
    /// What an ended pod had could not be given back.
    pub release: Option<Retry>,
    /// The root could not be removed.
    pub removal: Option<Retry>,
    /// Nothing is left and the masters know.
    pub gone: bool,
    /// A leader's word was asked for: for which epoch, and in which words.
    pub asked: Option<(u32, String)>,
    /// A leader's word was given for this epoch.
    pub word: Option<u32>,
    /// The word could not be handed over.
    pub admission: Option<Retry>,
    /// It will never run again: reason and message.
    pub ended: Option<(String, String)>,
    /// Events that were told once: (container, reason, run).
    pub announced: BTreeSet<(String, String, u32)>,
    /// The revision of the pod at which its status was last said again.
    pub told: String,
    /// The status as it was last computed.
    pub status: Option<PodStatus>,
}

impl Memory {
    /// Of a pod seen now.
    pub fn new(now: Timestamp) -> Self {
        Self { first_seen: now, ..Self::default() }
    }

    /// One container, if there is anything.
    pub fn container(&self, name: &str) -> Option<&ContainerMemory> {
        self.containers.get(name)
    }

    /// One container, to be changed.
    pub fn container_mut(&mut self, name: &str) -> &mut ContainerMemory {
        self.containers.entry(name.to_owned()).or_default()
    }

    /// Whether this was told.
    pub fn was_announced(&self, container: &str, reason: &str, attempt: u32) -> bool {
        self.announced.contains(&(container.to_owned(), reason.to_owned(), attempt))
    }
}
