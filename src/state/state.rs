//! The state machine: `apply` is the only way to change it, and the same on every member.

use crate::shared_names::SharedNames;
use crate::view::{OWNER_INDEX, UID_INDEX, View};
use crate::{Change, Compare, Key, Object, Op, Outcome, Resource, SessionRecord, Table, Txn};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one [`Txn`] did, for whoever persists and publishes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Applied {
    /// The answer to the proposer; absent only in a default value.
    pub outcome: Option<Outcome>,
    /// Changes in the order of their revisions.
    pub changes: Vec<Arc<Change>>,
    /// Revisions whose records storage no longer needs (superseded objects and tombstones below the floor).
    pub dropped: Vec<u64>,
    /// Resources whose floor moved, with the new floor.
    pub floors: Vec<(Resource, u64)>,
    /// An epoch began: no session of before goes on, and storage forgets them all.
    pub sessions_ended: bool,
}

/// The replicated state. [`State::view`] is what everyone else sees of it.
#[derive(Clone, Default)]
pub struct State {
    view: View,
    sessions: BTreeMap<u64, SessionRecord>,
    names: SharedNames,
}

impl State {
    /// An O(1) snapshot.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The revision of the newest change.
    pub fn revision(&self) -> u64 {
        self.view.revision
    }

    /// The Raft term of the newest entry applied.
    pub fn term(&self) -> u64 {
        self.view.term
    }

    /// Which life of the cluster this is: 0, or a number that the last restore or forced recovery gave it, above all before.
    pub fn epoch(&self) -> u64 {
        self.view.epoch
    }

    /// The floor of tables without one of their own.
    pub fn base_floor(&self) -> u64 {
        self.view.base_floor
    }

    /// Sessions by member, for storage.
    pub fn sessions(&self) -> &BTreeMap<u64, SessionRecord> {
        &self.sessions
    }

    /// Applies one log entry of a Raft term.
    pub fn apply(&mut self, term: u64, txn: &Txn) -> Applied {
        self.view.term = term;
        if let Some(origin) = &txn.origin
            && let Some(outcome) = self.sessions.get(&origin.member).and_then(|session| session.seen(origin))
        {
            return Applied { outcome: Some(outcome), ..Applied::default() };
        }
        let mut applied = Applied::default();
        let outcome = match txn.compares.iter().position(|compare| !self.holds(term, compare)) {
            Some(compare) => Outcome::Failed { compare, found: self.found(&txn.compares[compare]) },
            None => Outcome::Committed(txn.ops.iter().map(|op| self.execute(op, &mut applied)).collect()),
        };
        if let Some(origin) = &txn.origin {
            self.sessions.entry(origin.member).or_default().record(origin, outcome.clone());
        }
        applied.outcome = Some(outcome);
        applied
    }

    fn holds(&self, term: u64, compare: &Compare) -> bool {
        match compare {
            Compare::Absent(key) => self.view.get(key).is_none(),
            Compare::Revision(key, revision) => self.view.get(key).is_some_and(|o| o.revision == *revision),
            Compare::Uid(key, uid) => self.view.get(key).is_some_and(|o| o.meta.uid == *uid),
            Compare::NotDeleting(key) => self.view.get(key).is_some_and(|o| !o.meta.deleting),
            Compare::Term(expected) => *expected == term,
        }
    }

    fn found(&self, compare: &Compare) -> u64 {
        match compare {
            Compare::Absent(key) | Compare::Revision(key, _) | Compare::Uid(key, _) | Compare::NotDeleting(key) => {
                self.view.get(key).map_or(0, |object| object.revision)
            }
            Compare::Term(_) => 0,
        }
    }

    /// Carries out one operation and gives the revision that it took, 0 for none.
    fn execute(&mut self, op: &Op, applied: &mut Applied) -> u64 {
        match op {
            Op::Put { key, meta, body } => {
                let revision = self.view.revision + 1;
                let object = Arc::new(Object::new(self.names.share(key), meta.clone(), body, revision));
                self.commit(revision, object, false, applied)
            }
            Op::Delete { key } => {
                let revision = self.view.revision + 1;
                let Some(object) = self.view.get(key).map(|previous| Arc::new(previous.moved_to(revision))) else {
                    return 0;
                };
                self.commit(revision, object, true, applied)
            }
            Op::Compact { resource, floor } => {
                let floor = (*floor).min(self.view.revision);
                self.compact(resource, floor, applied);
                0
            }
            Op::BeginEpoch { revision, epoch } => {
                self.begin_epoch(*revision, *epoch, applied);
                0
            }
        }
    }

    fn commit(&mut self, revision: u64, object: Arc<Object>, deleted: bool, applied: &mut Applied) -> u64 {
        applied.changes.push(self.install(revision, object, deleted, true));
        revision
    }

    /// Puts a change into map, index and (above the floor) history. Of a deletion the object is the one that goes, moved to
    /// this revision.
    fn install(&mut self, revision: u64, object: Arc<Object>, deleted: bool, keep_history: bool) -> Arc<Change> {
        self.view.revision = self.view.revision.max(revision);
        let base_floor = self.view.base_floor;
        let tables = Arc::make_mut(&mut self.view.tables);
        let key = &object.key;
        let table = tables.entry(key.resource.clone()).or_insert_with(|| Table::starting_at(base_floor));
        let previous = if deleted { table.remove(&key.object) } else { table.put(object.clone()) };
        let change = Arc::new(Change { revision, object, previous, deleted });
        if keep_history {
            table.history.push(change.clone());
        }
        self.reindex(&change);
        change
    }

    /// Most writes change nothing that is indexed.
    fn reindex(&mut self, change: &Change) {
        let now = (!change.deleted).then_some(&change.object);
        if let (Some(previous), Some(now)) = (&change.previous, now)
            && previous.meta.indexed_like(&now.meta)
        {
            return;
        }
        if let Some(previous) = &change.previous {
            unindex(&mut self.view, previous);
        }
        if let Some(now) = now {
            index(&mut self.view, now);
        }
    }

    fn compact(&mut self, resource: &Resource, floor: u64, applied: &mut Applied) {
        let Some(table) = Arc::make_mut(&mut self.view.tables).get_mut(resource) else {
            return;
        };
        if floor <= table.history.floor() {
            return;
        }
        for gone in table.history.compact(floor) {
            applied.dropped.extend(gone.previous.as_ref().map(|previous| previous.revision));
            if gone.deleted {
                applied.dropped.push(gone.revision);
            }
        }
        applied.floors.push((resource.clone(), floor));
    }

    fn begin_epoch(&mut self, revision: u64, epoch: u64, applied: &mut Applied) {
        self.view.epoch = epoch.max(self.view.epoch + 1);
        self.view.revision = self.view.revision.max(revision);
        let floor = self.view.revision;
        let resources: Vec<Resource> = self.view.tables.keys().cloned().collect();
        for resource in resources {
            self.compact(&resource, floor, applied);
        }
        self.view.base_floor = floor;
        // Sessions are numbered by the log, which begins anew.
        self.sessions.clear();
        applied.sessions_ended = true;
    }

    // What follows rebuilds a state from storage; the order of calls is: `restored`, every stored change by revision.

    /// An empty state to load stored changes into. `floors` holds each resource's own floor.
    pub fn restored(
        revision: u64,
        term: u64,
        epoch: u64,
        base_floor: u64,
        floors: impl IntoIterator<Item = (Resource, u64)>,
        sessions: BTreeMap<u64, SessionRecord>,
    ) -> Self {
        let tables = floors
            .into_iter()
            .map(|(resource, floor)| (resource, Table::starting_at(floor)))
            .collect::<BTreeMap<_, _>>();
        let view = View { revision, term, epoch, base_floor, tables: Arc::new(tables), ..View::default() };
        Self { view, sessions, names: SharedNames::default() }
    }

    /// Loads one stored change: an object, or `None` for a deletion of what the key held. Ascending revisions only.
    /// A deletion of a key that holds nothing (its object lies below the floor) is skipped.
    pub fn load(&mut self, key: &Key, revision: u64, object: Option<Object>) {
        let floor = self.view.tables.get(&key.resource).map_or(self.view.base_floor, Table::floor);
        let deleted = object.is_none();
        let object = object.or_else(|| self.view.get(key).map(|held| held.moved_to(revision)));
        let Some(mut object) = object else { return };
        object.key = self.names.share(key);
        self.install(revision, Arc::new(object), deleted, revision > floor);
    }
}

fn index(view: &mut View, object: &Object) {
    for (name, value) in entries(object) {
        view.index.insert_cow((name, value, object.key.clone()), ());
    }
}

fn unindex(view: &mut View, object: &Object) {
    for (name, value) in entries(object) {
        view.index.remove_cow(&(name, value, object.key.clone()));
    }
}

fn entries(object: &Object) -> impl Iterator<Item = (Arc<str>, Arc<str>)> + '_ {
    let uid = (!object.meta.uid.is_empty()).then(|| (UID_INDEX.into(), object.meta.uid.clone()));
    let owners = object.meta.owners.iter().map(|owner| (OWNER_INDEX.into(), owner.uid.clone()));
    uid.into_iter().chain(owners).chain(object.meta.index.iter().cloned())
}
