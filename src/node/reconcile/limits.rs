//! Volumes on disk that may not grow larger than they say: measured now and then, and the pod is evicted.

use super::worker::{Wake, Wanted, Worker};
use crate::plan::{EVICTED, Message, VolumeState};
use crate::volumes::{self, Usage};
use raftsman_runtime::border::PodStatus as Observed;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// The kubelet looks this often.
const EVERY: Duration = Duration::from_secs(10);
/// Looking takes no more than this part of the time.
const SHARE: u32 = 20;
/// A volume with more entries than this is not measured to its end.
const MOST_ENTRIES: usize = 500_000;

/// A volume with a limit.
#[derive(Debug, Clone)]
struct Limited {
    name: String,
    dir: PathBuf,
    bytes: u64,
    declared: String,
}

/// What was found of a volume that has to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is larger than it may be.
    Exceeds {
        /// The volume's name.
        volume: String,
        /// The limit as declared.
        limit: String,
    },
    /// It has too many files to be measured.
    Unmeasured {
        /// The volume's name.
        volume: String,
    },
}

impl Worker {
    /// Has the pod's volumes measured while it runs.
    pub(super) fn tend_limits(&mut self, wanted: &Wanted, observed: Option<&Observed>) {
        let over = wanted.orphan || self.memory.ended.is_some() || wanted.pod.metadata.deletion_timestamp.is_some();
        if over || observed.is_none_or(|observed| observed.released) || self.memory.volumes != VolumeState::Ready {
            self.limits = None;
            return;
        }
        if self.limits.is_some() {
            return;
        }
        let limited = volumes::limits(&wanted.pod).into_iter().filter_map(|(name, bytes, declared)| {
            let dir = self.places.get(&name)?.clone();
            Some(Limited { name, dir, bytes, declared })
        });
        let limited: Vec<Limited> = limited.collect();
        if !limited.is_empty() {
            self.limits = Some(AbortOnDropHandle::new(tokio::spawn(watch(limited, self.waker.clone()))));
        }
    }

    /// Takes in what was found.
    pub(super) fn measured(&mut self, finding: Finding) {
        let pod = std::sync::Arc::clone(&self.wanted.borrow().pod);
        match finding {
            Finding::Exceeds { volume, limit } if self.memory.ended.is_none() => {
                let message = Message::empty_dir_exceeds(&volume, &limit);
                self.memory.ended = Some((EVICTED.to_owned(), message.text.clone()));
                self.tell_event(&pod, None, message);
            }
            Finding::Exceeds { .. } => {}
            Finding::Unmeasured { volume } => {
                let once = (volume.clone(), "VolumeNotMeasured".to_owned(), 0);
                if self.memory.announced.insert(once) {
                    self.tell_event(&pod, None, Message::not_measured(&volume, MOST_ENTRIES));
                }
            }
        }
    }
}

async fn watch(limited: Vec<Limited>, waker: mpsc::Sender<Wake>) {
    loop {
        let begun = Instant::now();
        let volumes = limited.clone();
        let findings = tokio::task::spawn_blocking(move || volumes.iter().filter_map(look).collect::<Vec<_>>()).await;
        for finding in findings.unwrap_or_default() {
            if waker.send(Wake::Measured(finding)).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(EVERY.max(begun.elapsed() * SHARE)).await;
    }
}

fn look(limited: &Limited) -> Option<Finding> {
    let volume = limited.name.clone();
    match volumes::usage(&limited.dir, limited.bytes, MOST_ENTRIES) {
        Ok(Usage { bytes, .. }) if bytes > limited.bytes => {
            Some(Finding::Exceeds { volume, limit: limited.declared.clone() })
        }
        Ok(Usage { whole, .. }) => (!whole).then_some(Finding::Unmeasured { volume }),
        Err(error) => {
            tracing::warn!(volume, dir = %limited.dir.display(), %error, "cannot measure a volume");
            None
        }
    }
}
