//! All objects of one resource, and how they came to be.

use crate::history::{History, Keep};
use crate::named::Named;
use crate::persistent::PersistentMap;
use crate::{Change, Compacted, Object, ObjectName};
use std::ops::Bound;
use std::sync::Arc;

/// One resource's objects in the order of namespace and name, with the history above its floor. Cloning is O(1).
#[derive(Clone, Default)]
pub struct Table {
    objects: PersistentMap<Named, ()>,
    pub(crate) history: History,
}

impl Table {
    pub(crate) fn starting_at(floor: u64) -> Self {
        Self { objects: PersistentMap::new(), history: History::starting_at(floor) }
    }

    /// One object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.named(&ObjectName { namespace: namespace.into(), name: name.into() })
    }

    pub(crate) fn named(&self, name: &ObjectName) -> Option<&Arc<Object>> {
        self.objects.get_key(name).map(|Named(object)| object)
    }

    /// Puts an object in the place of the one of its name, which it gives: found on the same way, for each step of it is
    /// several reads from memory that no cache holds.
    pub(crate) fn put(&mut self, object: Arc<Object>) -> Option<Arc<Object>> {
        let mut previous = None;
        self.objects.update_cow(Named(object), (), |named, (), held| {
            previous = held.map(|(Named(held), ())| held.clone());
            Some((named, ()))
        });
        previous
    }

    /// Removes the object of a name, and gives it.
    pub(crate) fn remove(&mut self, name: &ObjectName) -> Option<Arc<Object>> {
        let previous = self.named(name).cloned()?;
        self.objects.remove_cow(name);
        Some(previous)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// No objects at all.
    pub fn is_empty(&self) -> bool {
        self.objects.len() == 0
    }

    /// How many changes history holds.
    pub fn history_len(&self) -> usize {
        self.history.len()
    }

    /// How many bytes the held changes brought, about.
    pub fn history_bytes(&self) -> u64 {
        self.history.bytes()
    }

    /// Objects in order: of one namespace or of all, strictly after a (namespace, name) if given.
    pub fn list<'a>(
        &'a self,
        namespace: Option<&str>,
        after: Option<&ObjectName>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let namespace: Option<Arc<str>> = namespace.map(Into::into);
        let start = match (after, &namespace) {
            (Some(name), _) => Bound::Excluded(name.clone()),
            (None, Some(ns)) => Bound::Included(ObjectName { namespace: ns.clone(), name: "".into() }),
            (None, None) => Bound::Unbounded,
        };
        self.objects
            .range::<ObjectName, _>((start, Bound::Unbounded))
            .map(|(Named(object), ())| object)
            .take_while(move |object| namespace.as_ref().is_none_or(|ns| object.key.object.namespace == *ns))
    }

    /// Changes after a revision, oldest first.
    ///
    /// # Errors
    /// [`Compacted`] when the revision lies below the floor.
    pub fn changes_after(
        &self,
        revision: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Change>> + use<'_>, Compacted> {
        self.history.after(revision)
    }

    /// The floor of the history.
    pub fn floor(&self) -> u64 {
        self.history.floor()
    }

    /// The floor that would leave as much history as is to be kept, or that one step reaches; `None` if there is no more
    /// than that.
    pub fn floor_keeping(&self, keep: Keep) -> Option<u64> {
        self.history.floor_keeping(keep)
    }

    /// The table as it was at a revision, rolled back through history. The result has no history of its own.
    ///
    /// # Errors
    /// [`Compacted`] when the revision lies below the floor.
    pub fn at(&self, revision: u64) -> Result<Table, Compacted> {
        let mut objects = self.objects.clone();
        for change in self.history.after(revision)?.rev() {
            match &change.previous {
                Some(previous) => objects.insert_cow(Named(previous.clone()), ()),
                None => objects.remove_cow(&change.key().object),
            };
        }
        Ok(Table { objects, history: History::starting_at(revision) })
    }
}
