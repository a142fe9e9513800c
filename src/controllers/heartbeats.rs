//! Signs of life of nodes, in the leader's memory.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// When nodes were last heard of, on the clock of [`crate::Now::mono`] (zero: this leadership's beginning).
pub trait Heartbeats: Send + Sync + 'static {
    /// The last sign of life; `None` if there was none under this leadership.
    fn last_seen(&self, node: &str) -> Option<Duration>;
}

/// The usual implementation: a table that whoever receives heartbeats writes.
#[derive(Debug, Default)]
pub struct HeartbeatTable {
    seen: RwLock<HashMap<String, Duration>>,
}

impl HeartbeatTable {
    /// A node gave a sign of life at this time on the leader's clock. Any message of the node counts, its report too.
    pub fn beat(&self, node: &str, at: Duration) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(node) {
            Some(last) => *last = at.max(*last),
            None => {
                seen.insert(node.to_owned(), at);
            }
        }
    }
}

impl Heartbeats for HeartbeatTable {
    fn last_seen(&self, node: &str) -> Option<Duration> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(node).copied()
    }
}
