//! Where a run's events are put down.

use crate::invariants::{Event, Seen};
use parking_lot::Mutex;
use raftsman_state::{Object, View};
use raftsman_store::sim::{self, World};
use std::sync::Arc;

/// Shared by all that watch a run.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    failures: Vec<String>,
    values: u64,
    world: Option<Arc<World>>,
}

impl Recorder {
    /// Puts down what was seen now.
    pub fn see(&self, seen: Seen) {
        self.0.lock().events.push(Event { at: sim::elapsed(), seen });
    }

    /// Puts down what must not be.
    pub fn fail(&self, what: String) {
        let at = sim::elapsed();
        self.0.lock().failures.push(format!("{:.3} ms: {what}", at.as_secs_f64() * 1e3));
    }

    /// A value that was never written.
    pub fn value(&self) -> u64 {
        let mut inner = self.0.lock();
        inner.values += 1;
        inner.values
    }

    /// The world that is recorded, for what it can tell afterwards.
    pub fn of(&self, world: Arc<World>) {
        self.0.lock().world = Some(world);
    }

    /// All of it: events, what must not be, and the newest messages.
    pub fn take(&self) -> (Vec<Event>, Vec<String>, Vec<String>) {
        let mut inner = self.0.lock();
        let messages = inner.world.take().map(|world| world.last()).unwrap_or_default();
        (std::mem::take(&mut inner.events), std::mem::take(&mut inner.failures), messages)
    }
}

/// A key as it is recorded.
pub fn key(object: &Object) -> String {
    object.key.to_string()
}

/// A value as it is recorded: what a client wrote, or for the store's own records something that no client writes.
pub fn value(object: &Object) -> u64 {
    std::str::from_utf8(&object.json).ok().and_then(|text| text.parse().ok()).unwrap_or((1 << 63) | object.revision)
}

/// All that a view shows.
pub fn content(view: &View) -> std::collections::BTreeMap<String, u64> {
    let objects = view.tables().flat_map(|(_, table)| table.list(None, None));
    objects.map(|object| (key(object), value(object))).collect()
}

/// All that a view shows at an earlier revision; `None`: some of it is compacted.
pub fn content_at(view: &View, revision: u64) -> Option<std::collections::BTreeMap<String, u64>> {
    let mut content = std::collections::BTreeMap::new();
    for (resource, _) in view.tables() {
        let table = view.table_at(resource, revision).ok()?;
        content.extend(table.list(None, None).map(|object| (key(object), value(object))));
    }
    Some(content)
}
