//! The changes of one resource above its floor.

use crate::Change;
use crate::persistent::PersistentMap;
use std::ops::Bound;
use std::sync::Arc;

/// The asked revision lies below what history still holds: clients get 410 and list anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} is compacted: history begins after {floor}")]
pub struct Compacted {
    /// What was asked for.
    pub asked: u64,
    /// The floor: changes after it are held.
    pub floor: u64,
}

/// What a change takes in memory besides its JSON, about, in bytes.
const OVERHEAD: u64 = 256;

/// How much of a history to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Changes at most.
    pub changes: usize,
    /// Bytes at most: the JSON that the changes brought, and a little for each.
    pub bytes: u64,
    /// Changes to forget at once at most.
    pub step: usize,
}

/// Changes by revision, all above the floor.
#[derive(Clone, Default)]
pub(crate) struct History {
    floor: u64,
    bytes: u64,
    changes: PersistentMap<u64, Arc<Change>>,
}

fn size(change: &Change) -> u64 {
    change.object.json.len() as u64 + OVERHEAD
}

impl History {
    pub(crate) fn starting_at(floor: u64) -> Self {
        Self { floor, ..Self::default() }
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, change: Arc<Change>) {
        self.bytes += size(&change);
        self.changes.insert_cow(change.revision, change);
    }

    /// Moves the floor up and gives what fell below it.
    pub(crate) fn compact(&mut self, floor: u64) -> Vec<Arc<Change>> {
        if floor <= self.floor {
            return Vec::new();
        }
        self.floor = floor;
        let gone: Vec<Arc<Change>> = self.changes.range(..=floor).map(|(_, change)| change.clone()).collect();
        for change in &gone {
            self.changes.remove_cow(&change.revision);
            self.bytes -= size(change);
        }
        gone
    }

    /// Changes after a revision, oldest first.
    pub(crate) fn after(
        &self,
        revision: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Change>> + use<'_>, Compacted> {
        if revision < self.floor {
            return Err(Compacted { asked: revision, floor: self.floor });
        }
        Ok(self.changes.range((Bound::Excluded(revision), Bound::Unbounded)).map(|(_, change)| change))
    }

    /// The floor that leaves as much as is to be kept, or that one step reaches; `None` if nothing is too much.
    pub(crate) fn floor_keeping(&self, keep: Keep) -> Option<u64> {
        let (mut changes, mut bytes, mut floor) = (self.changes.len(), self.bytes, None);
        for (revision, change) in self.changes.into_iter().take(keep.step) {
            if changes <= keep.changes && bytes <= keep.bytes {
                break;
            }
            changes -= 1;
            bytes -= size(change);
            floor = Some(*revision);
        }
        floor
    }
}
