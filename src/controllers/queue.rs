//! One controller's work: deduplicated, delayed, backed off; never the same key twice at once.

use crate::{Failure, WorkKey};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The first delay after a failure; doubled with every further one.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(5);
/// The longest delay after a failure.
pub const BACKOFF_MOST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Item {
    ready: bool,
    running: bool,
    /// Asked for again while it ran.
    dirty: bool,
    due: Option<Duration>,
    failures: u32,
    failure: Option<Arc<Failure>>,
}

/// How a plan for a key ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// Carried out; ask again after this long.
    Well(Option<Duration>),
    /// To be planned again, a little later each time.
    Badly(Option<Arc<Failure>>),
}

/// The queue as a value; times are on the leader's monotonic clock.
#[derive(Debug, Default)]
pub struct Queue {
    items: HashMap<WorkKey, Item>,
    ready: VecDeque<WorkKey>,
    delayed: BTreeSet<(Duration, WorkKey)>,
}

impl Queue {
    /// Asks for a key to be planned as soon as possible.
    pub fn add(&mut self, key: WorkKey) {
        let item = self.items.entry(key.clone()).or_default();
        if let Some(due) = item.due.take() {
            self.delayed.remove(&(due, key.clone()));
        }
        if item.running {
            item.dirty = true;
        } else if !item.ready {
            item.ready = true;
            self.ready.push_back(key);
        }
    }

    /// Moves what is due by now among the ready.
    pub fn promote(&mut self, now: Duration) {
        while let Some((due, _)) = self.delayed.first()
            && *due <= now
            && let Some((_, key)) = self.delayed.pop_first()
        {
            if let Some(item) = self.items.get_mut(&key) {
                item.due = None;
            }
            self.add(key);
        }
    }

    /// The next key to plan, with what its last plan met.
    pub fn pop(&mut self) -> Option<(WorkKey, Option<Arc<Failure>>)> {
        let key = self.ready.pop_front()?;
        let item = self.items.entry(key.clone()).or_default();
        item.ready = false;
        item.running = true;
        Some((key, item.failure.clone()))
    }

    /// A key's plan has ended.
    pub fn done(&mut self, key: &WorkKey, ended: Ended, now: Duration) {
        let Some(item) = self.items.get_mut(key) else {
            return;
        };
        item.running = false;
        let delay = match ended {
            Ended::Well(delay) => {
                item.failures = 0;
                item.failure = None;
                delay
            }
            Ended::Badly(failure) => {
                let doubled = BACKOFF_FIRST.saturating_mul(1_u32.checked_shl(item.failures).unwrap_or(u32::MAX));
                item.failures = (item.failures + 1).min(20);
                // A lost race in between does not make an earlier refusal untrue.
                if failure.is_some() {
                    item.failure = failure;
                }
                Some(doubled.min(BACKOFF_MOST))
            }
        };
        if std::mem::take(&mut item.dirty) {
            item.ready = true;
            self.ready.push_back(key.clone());
        } else if let Some(delay) = delay {
            let due = now + delay;
            item.due = Some(due);
            self.delayed.insert((due, key.clone()));
        } else if item.failures == 0 {
            self.items.remove(key);
        }
    }

    /// When the next delayed key is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.delayed.first().map(|(due, _)| *due)
    }

    /// Something is ready.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
