//! A watch: a place in history and what it selects. It owns no queue; a slow reader costs nothing.

use super::Filter;
use crate::write::Target;
use raftsman_state::{Change, Compacted, Object, Resource, View};
use std::sync::Arc;

/// What a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// It is selected now.
    Added,
    /// It changed and is still selected.
    Modified,
    /// It is gone or no longer selected.
    Deleted,
}

impl EventKind {
    /// The wire's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after it; one that is left as it was before, moved to the revision of its leaving.
    pub object: Arc<Object>,
}

/// Most events taken at once, so that a reader far behind holds few.
const BATCH: usize = 512;

/// A watch's place.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    resource: Resource,
    namespace: Option<String>,
    filter: Filter,
    revision: u64,
}

impl Cursor {
    /// After a revision.
    pub(crate) fn new(target: &Target, filter: Filter, revision: u64) -> Self {
        let namespace = (!target.namespace.is_empty()).then(|| target.namespace.clone());
        Self { resource: target.resource(), namespace, filter, revision }
    }

    /// The same watch at another place.
    pub(crate) fn moved_to(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// Everything up to here was given.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The objects that are there now, as the events that a watch without a revision begins with; the cursor stands at
    /// the view's revision then.
    pub(crate) fn initial(&mut self, view: &View) -> Vec<Arc<Object>> {
        self.revision = view.revision();
        view.list(&self.resource, self.namespace.as_deref())
            .filter(|object| self.filter.matches(object))
            .cloned()
            .collect()
    }

    /// What happened since, up to a batch. Empty: the cursor stands at the view's revision.
    ///
    /// # Errors
    /// History no longer holds what comes next.
    pub(crate) fn advance(&mut self, view: &View) -> Result<Vec<Event>, Compacted> {
        let mut events = Vec::new();
        let mut changes = view.changes_after(&self.resource, self.revision)?;
        for change in changes.by_ref() {
            self.revision = change.revision;
            events.extend(self.event(change));
            if events.len() >= BATCH {
                return Ok(events);
            }
        }
        // Other resources' changes are none of this cursor's: it stands where the view stands.
        self.revision = self.revision.max(view.revision());
        Ok(events)
    }

    fn event(&self, change: &Change) -> Option<Event> {
        if self.namespace.as_deref().is_some_and(|namespace| namespace != change.key().namespace()) {
            return None;
        }
        let before = change.previous.as_ref().filter(|previous| self.filter.matches(previous));
        let after = !change.deleted && self.filter.matches(&change.object);
        Some(match (before, after) {
            (None, false) => return None,
            (None, true) => Event { kind: EventKind::Added, object: change.object.clone() },
            (Some(_), true) => Event { kind: EventKind::Modified, object: change.object.clone() },
            // A deletion's object carries its revision already.
            (Some(_), false) if change.deleted => Event { kind: EventKind::Deleted, object: change.object.clone() },
            (Some(previous), false) => {
                Event { kind: EventKind::Deleted, object: Arc::new(previous.moved_to(change.revision)) }
            }
        })
    }
}
