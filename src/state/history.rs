//! The changes of one resource above its floor.

use crate::Change;
use crate::persistent::PersistentMap;
use std::sync::{Arc, OnceLock};

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

/// Changes in a chunk. As many may be held on to for a while after they fell below the floor.
const CHUNK: usize = 64;

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

/// Consecutive changes, filled from the front. Histories share it: each sees of it what lies between its own floor and its
/// own newest change, so that one more change copies nothing, however many views there are.
type Chunk = Arc<[OnceLock<Arc<Change>>; CHUNK]>;

/// Changes by revision, all above the floor.
#[derive(Clone, Default)]
pub(crate) struct History {
    floor: u64,
    bytes: u64,
    len: usize,
    /// Revision of the newest change.
    last: u64,
    /// By the revision of the first change in them.
    chunks: PersistentMap<u64, Chunk>,
    /// The newest one, under which key it stands there, and how much of it is filled.
    tail: Option<(u64, Chunk, usize)>,
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
        self.len
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes in a change that is newer than all before.
    pub(crate) fn push(&mut self, change: Arc<Change>) {
        self.bytes += size(&change);
        self.len += 1;
        self.last = change.revision;
        let rest = match &mut self.tail {
            Some((_, chunk, filled)) if *filled < CHUNK => match chunk[*filled].set(change) {
                Ok(()) => {
                    *filled += 1;
                    return;
                }
                // Another history went on from the same view: from here on they differ.
                Err(change) => {
                    let shared = chunk.iter().take(*filled).filter_map(OnceLock::get).cloned();
                    shared.chain([change]).collect::<Vec<_>>()
                }
            },
            _ => vec![change],
        };
        self.begin(rest);
    }

    /// Goes on in a new chunk with these first changes, in the place of one that began with the same.
    fn begin(&mut self, changes: Vec<Arc<Change>>) {
        let Some(first) = changes.first().map(|change| change.revision) else { return };
        let filled = changes.len();
        let mut changes = changes.into_iter();
        let chunk: Chunk = Arc::new(std::array::from_fn(|_| changes.next().map_or_else(OnceLock::new, OnceLock::from)));
        self.chunks.insert_cow(first, chunk.clone());
        self.tail = Some((first, chunk, filled));
    }

    /// Moves the floor up and gives what fell below it.
    pub(crate) fn compact(&mut self, floor: u64) -> Vec<Arc<Change>> {
        if floor <= self.floor {
            return Vec::new();
        }
        let gone: Vec<Arc<Change>> = self.all().take_while(|change| change.revision <= floor).cloned().collect();
        self.floor = floor;
        self.len -= gone.len();
        self.bytes -= gone.iter().map(|change| size(change)).sum::<u64>();
        // A chunk is needed while the next one begins above what is to be seen.
        let begins: Vec<u64> = self.chunks.range(..=floor).map(|(first, _)| *first).collect();
        let keep = if self.last <= floor { None } else { begins.last().copied() };
        for first in begins.into_iter().filter(|first| Some(*first) != keep) {
            self.chunks.remove_cow(&first);
        }
        if self.len == 0 {
            self.tail = None;
        }
        gone
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Change>> + use<'_> {
        self.held_after(self.floor)
    }

    fn held_after(&self, after: u64) -> impl DoubleEndedIterator<Item = &Arc<Change>> + use<'_> {
        let begin = self.chunks.range(..=after).next_back().map_or(0, |(first, _)| *first);
        let chunks = self.chunks.range(begin..).flat_map(|(_, chunk)| chunk.iter().filter_map(OnceLock::get));
        chunks.filter(move |change| after < change.revision && change.revision <= self.last)
    }

    /// Changes after a revision, oldest first.
    pub(crate) fn after(
        &self,
        revision: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Change>> + use<'_>, Compacted> {
        if revision < self.floor {
            return Err(Compacted { asked: revision, floor: self.floor });
        }
        Ok(self.held_after(revision))
    }

    /// The floor that leaves as much as is to be kept, or that one step reaches; `None` if nothing is too much.
    pub(crate) fn floor_keeping(&self, keep: Keep) -> Option<u64> {
        let (mut changes, mut bytes, mut floor) = (self.len, self.bytes, None);
        for change in self.all().take(keep.step) {
            if changes <= keep.changes && bytes <= keep.bytes {
                break;
            }
            changes -= 1;
            bytes -= size(change);
            floor = Some(change.revision);
        }
        floor
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Body, Key, Meta, Object, Resource};
    use proptest::prelude::*;

    fn change(revision: u64, of: usize) -> Arc<Change> {
        let key = Key::new(&Resource::from("pods"), "default", "p");
        let body = Body::plain(format!("{{\"of\":{of}}}"));
        let object = Arc::new(Object::new(key, Arc::new(Meta::default()), &body, revision));
        Arc::new(Change { revision, object, previous: None, deleted: false })
    }

    /// A history, and what it should hold.
    #[derive(Clone, Default)]
    struct Both {
        history: History,
        model: Vec<Arc<Change>>,
        floor: u64,
    }

    impl Both {
        fn agree(&self) {
            assert_eq!((self.history.len(), self.history.floor()), (self.model.len(), self.floor));
            assert_eq!(self.history.bytes(), self.model.iter().map(|change| size(change)).sum::<u64>());
            for after in [self.floor, self.floor + 1, self.floor + 70, self.floor + 100] {
                let expected: Vec<&Arc<Change>> = self.model.iter().filter(|c| c.revision > after).collect();
                assert_eq!(self.history.after(after).unwrap().collect::<Vec<_>>(), expected);
                let back: Vec<&Arc<Change>> = self.history.after(after).unwrap().rev().collect();
                assert!(back.into_iter().rev().eq(expected));
            }
            assert!(self.floor == 0 || self.history.after(self.floor - 1).is_err());
        }
    }

    proptest! {
        /// Copies that go different ways from one moment see nothing of one another.
        #[test]
        fn a_history_holds_what_was_pushed(steps in prop::collection::vec((0..10u8, 0..90u64, 0..3usize), 1..60)) {
            let mut all = [Both::default(), Both::default(), Both::default()];
            for (what, by, of) in steps {
                match what {
                    0 => all[of] = all[(of + 1) % 3].clone(),
                    1 => {
                        let one = &mut all[of];
                        let floor = one.floor + by;
                        let gone = one.history.compact(floor);
                        one.floor = floor;
                        let (below, above) = one.model.drain(..).partition(|c: &Arc<Change>| c.revision <= floor);
                        one.model = above;
                        prop_assert_eq!(gone, below);
                    }
                    _ => {
                        let one = &mut all[of];
                        let begin = one.model.last().map_or(0, |c| c.revision).max(one.floor);
                        for n in 0..by {
                            let change = change(begin + 1 + n * (1 + u64::from(what) % 2), of);
                            one.history.push(change.clone());
                            one.model.push(change);
                        }
                    }
                }
                all.iter().for_each(Both::agree);
            }
        }
    }
}
