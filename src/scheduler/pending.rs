//! The queue: pods without a node, when they were last tried, and what may help them.

use crate::filters::HelpedBy;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_controllers::Key;
use raftsman_state::Object;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The name that pods give for this scheduler (`spec.schedulerName`).
const OUR_NAME: &str = "default-scheduler";
/// A pod that did not fit is not tried again before; doubled with every further time.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest such delay.
const BACKOFF_MOST: Duration = Duration::from_secs(10);
/// A pod that nothing helped is tried again after this long all the same.
const ANYWAY: Duration = Duration::from_secs(60);

/// One pending pod.
pub struct Waiting {
    /// The object.
    pub object: Arc<Object>,
    /// `spec.schedulingGates` hold it.
    pub gated: bool,
    priority: i32,
    created: Option<Timestamp>,
    attempts: u32,
    /// Not before.
    due: Duration,
    /// What it waits for; `None` if it may be tried.
    helped_by: Option<HelpedBy>,
    tried: Duration,
}

/// All of them.
#[derive(Default)]
pub struct Pending {
    pods: BTreeMap<Key, Waiting>,
}

impl Pending {
    /// A pod without a node, new or changed.
    pub fn put(&mut self, object: &Arc<Object>, pod: &Pod) {
        let spec = pod.spec.as_ref();
        let ours =
            spec.and_then(|spec| spec.scheduler_name.as_deref()).is_none_or(|name| name.is_empty() || name == OUR_NAME);
        if object.meta.deleting || !ours {
            return self.remove(&object.key);
        }
        let gated = spec.is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()));
        if let Some(held) = self.pods.get_mut(&object.key)
            && held.object.meta.uid == object.meta.uid
        {
            // Its own status is what we write; anything else may help.
            let old = raftsman_controllers::objects::decode::<Pod>(&held.object);
            if old.is_none_or(|old| old.spec != pod.spec || old.metadata.labels != pod.metadata.labels) {
                held.helped_by = None;
            }
            held.gated = gated;
            held.object = object.clone();
            return;
        }
        let waiting = Waiting {
            object: object.clone(),
            gated,
            priority: spec.and_then(|spec| spec.priority).unwrap_or(0),
            created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            attempts: 0,
            due: Duration::ZERO,
            helped_by: None,
            tried: Duration::ZERO,
        };
        self.pods.insert(object.key.clone(), waiting);
    }

    /// It has a node, or is gone.
    pub fn remove(&mut self, key: &Key) {
        self.pods.remove(key);
    }

    /// Drops what does not exist any more.
    pub fn forget_missing(&mut self, exists: impl Fn(&Key) -> bool) {
        self.pods.retain(|key, _| exists(key));
    }

    /// Something happened that may help.
    pub fn help(&mut self, what: HelpedBy) {
        for waiting in self.pods.values_mut() {
            if waiting.helped_by.is_some_and(|by| by.meets(what)) {
                waiting.helped_by = None;
            }
        }
    }

    /// Pods to try now: by priority, then by age.
    pub fn ready(&mut self, now: Duration) -> Vec<Key> {
        let mut ready: Vec<_> = self
            .pods
            .iter_mut()
            .filter(|(_, waiting)| {
                let helped = waiting.helped_by.is_none() || now.saturating_sub(waiting.tried) >= ANYWAY;
                helped && waiting.due <= now
            })
            .map(|(key, waiting)| (std::cmp::Reverse(waiting.priority), waiting.created, key.clone()))
            .collect();
        ready.sort();
        ready.into_iter().map(|(_, _, key)| key).collect()
    }

    /// One pending pod.
    pub fn get(&self, key: &Key) -> Option<&Waiting> {
        self.pods.get(key)
    }

    /// It was tried: again not before its back-off, and, if it fits nowhere, not before something helps.
    pub fn tried(&mut self, key: &Key, now: Duration, helped_by: Option<HelpedBy>) {
        let Some(waiting) = self.pods.get_mut(key) else {
            return;
        };
        let delay = BACKOFF_FIRST.saturating_mul(1_u32.checked_shl(waiting.attempts).unwrap_or(u32::MAX));
        waiting.attempts = (waiting.attempts + 1).min(16);
        waiting.due = now + delay.min(BACKOFF_MOST);
        waiting.tried = now;
        waiting.helped_by = helped_by;
    }

    /// It waits for the next step of something that is under way: that is no failure, and is not backed off.
    pub fn waits(&mut self, key: &Key, now: Duration, for_what: HelpedBy) {
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.tried = now;
            waiting.helped_by = Some(for_what);
        }
    }

    /// When to look again, should nothing happen.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        let due = |waiting: &Waiting| match waiting.helped_by {
            None => waiting.due,
            Some(_) => waiting.due.max(waiting.tried + ANYWAY),
        };
        self.pods.values().filter(|waiting| !waiting.gated).map(|waiting| due(waiting).saturating_sub(now)).min()
    }
}
