//! An O(1) snapshot of the whole state, taken between transactions.

use crate::persistent::PersistentMap;
use crate::{Change, Compacted, Key, Object, Resource, Table};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// (index name, value, key): ordered so that one value's keys are one range.
type IndexEntry = (Arc<str>, Arc<str>, Key);

/// Name of the reverse index over `metadata.ownerReferences[].uid`.
pub(crate) const OWNER_INDEX: &str = "owner";
/// Name of the reverse index over `metadata.uid`.
pub(crate) const UID_INDEX: &str = "uid";

/// The map of objects at a revision. Cloning is O(1); a clone never changes.
#[derive(Clone, Default)]
pub struct View {
    pub(crate) revision: u64,
    pub(crate) term: u64,
    pub(crate) epoch: u64,
    /// The floor that a table begins with when its first object appears: 0, or where an epoch began.
    pub(crate) base_floor: u64,
    pub(crate) tables: Arc<BTreeMap<Resource, Table>>,
    pub(crate) index: PersistentMap<IndexEntry, ()>,
}

impl View {
    /// The revision of the newest change in it.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The Raft term of the newest entry applied to it.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// Which life of the cluster this is: 0, or a number that the last restore or forced recovery gave it, above all before.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.tables.get(&key.resource)?.named(&key.object)
    }

    /// A resource's objects and history; `None` if it never held any.
    pub fn table(&self, resource: &Resource) -> Option<&Table> {
        self.tables.get(resource)
    }

    /// All tables that ever held an object.
    pub fn tables(&self) -> impl Iterator<Item = (&Resource, &Table)> {
        self.tables.iter()
    }

    /// Objects of a resource in order, of one namespace or of all.
    pub fn list<'a>(
        &'a self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let namespace: Option<Box<str>> = namespace.map(Into::into);
        self.tables.get(resource).into_iter().flat_map(move |table| table.list(namespace.as_deref(), None))
    }

    /// A resource's changes after a revision, oldest first.
    ///
    /// # Errors
    /// [`Compacted`] when the revision lies below the resource's floor.
    pub fn changes_after<'a>(
        &'a self,
        resource: &Resource,
        revision: u64,
    ) -> Result<Box<dyn Iterator<Item = &'a Arc<Change>> + Send + 'a>, Compacted> {
        match self.tables.get(resource) {
            Some(table) => Ok(Box::new(table.changes_after(revision)?)),
            // What it may have held before this epoch is not known.
            None if revision < self.base_floor => Err(Compacted { asked: revision, floor: self.base_floor }),
            None => Ok(Box::new(std::iter::empty())),
        }
    }

    /// A resource as it was at a revision; see [`Table::at`].
    ///
    /// # Errors
    /// [`Compacted`] when the revision lies below the resource's floor.
    pub fn table_at(&self, resource: &Resource, revision: u64) -> Result<Table, Compacted> {
        match self.tables.get(resource) {
            Some(table) => table.at(revision),
            None => Table::starting_at(self.base_floor).at(revision),
        }
    }

    /// Objects whose `meta.index` has this entry, over all resources, in key order.
    pub fn by_index<'a>(&'a self, index: &str, value: &str) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let (index, value): (Arc<str>, Arc<str>) = (index.into(), value.into());
        let start = (index.clone(), value.clone(), Key::new(&Resource::from(""), "", ""));
        self.index
            .range::<IndexEntry, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |((i, v, _), ())| *i == index && *v == value)
            .filter_map(|((_, _, key), ())| self.get(key))
    }

    /// Objects that name this uid as an owner.
    pub fn by_owner<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.by_index(OWNER_INDEX, uid)
    }

    /// The object with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        self.by_index(UID_INDEX, uid).next()
    }
}
