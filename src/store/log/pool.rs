//! Files for segments: made ahead of their use, used again when what they held is purged.

use crate::files::Files;
use crate::log::frame::{BLOCK, Stamp};
use crate::log::manifest::Manifest;
use crate::log::segment::{self, Segment, Spare};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files that are kept for later use; more are removed.
const KEEP: usize = 2;

/// Removing files takes time: so many at once.
const REMOVE: usize = 4;

/// See the module.
pub(crate) struct Pool {
    files: Arc<dyn Files>,
    manifest: Arc<Mutex<Manifest>>,
    /// Of an ordinary segment, in bytes.
    size: u64,
    free: Mutex<Free>,
    next_id: AtomicU64,
}

#[derive(Default)]
struct Free {
    spares: Vec<Spare>,
    /// Not needed any more, perhaps still being read.
    retired: Vec<Arc<Segment>>,
}

impl Pool {
    pub(crate) fn new(
        files: Arc<dyn Files>,
        manifest: Arc<Mutex<Manifest>>,
        size: u64,
        spares: Vec<Spare>,
    ) -> io::Result<Self> {
        let highest = files.list()?.iter().filter_map(|name| segment::id(name)).max().unwrap_or(0);
        let free = Mutex::new(Free { spares, retired: Vec::new() });
        Ok(Self { files, manifest, size, free, next_id: AtomicU64::new(highest + 1) })
    }

    /// Makes a segment with room for so many bytes of groups, of which the first will be `floor` or a later one; the
    /// manifest names it when this returns. All groups before `floor` are synced.
    pub(crate) fn prepare(&self, number: u64, floor: u64, room: u64) -> io::Result<Segment> {
        let size = self.size.max(room + BLOCK as u64);
        let spare = {
            let mut free = self.free.lock();
            free.collect();
            let found = free.spares.iter().position(|spare| spare.size == size);
            found.map(|at| free.spares.swap_remove(at))
        };
        let spare = match spare {
            Some(spare) => spare,
            None => Spare::create(&*self.files, self.next_id.fetch_add(1, Ordering::Relaxed), size)?,
        };
        let (owner, incarnation) = {
            let manifest = self.manifest.lock();
            (manifest.contents().owner.clone(), manifest.contents().incarnation)
        };
        let segment = spare.into_segment(&owner, Stamp { number, incarnation }, floor)?;
        self.manifest.lock().update(|contents| {
            contents.newest = number;
            contents.durable = contents.durable.max(floor.saturating_sub(1));
        })?;
        Ok(segment)
    }

    /// Takes back segments of which nothing is needed, as the newest synced group says.
    pub(crate) fn retire(&self, segments: impl Iterator<Item = Arc<Segment>>) -> io::Result<()> {
        let surplus: Vec<Spare> = {
            let mut free = self.free.lock();
            free.retired.extend(segments);
            free.collect();
            // Those of an uncommon size first.
            free.spares.sort_by_key(|spare| spare.size != self.size);
            let odd = free.spares.iter().filter(|spare| spare.size != self.size).count();
            let surplus = free.spares.len().saturating_sub(KEEP).max(odd).min(REMOVE);
            let keep = free.spares.len() - surplus;
            free.spares.split_off(keep)
        };
        for spare in surplus {
            self.files.remove(&spare.name)?;
        }
        Ok(())
    }
}

impl Free {
    /// Makes spares of what nobody reads any more.
    fn collect(&mut self) {
        let retired = std::mem::take(&mut self.retired);
        for segment in retired {
            match Arc::try_unwrap(segment) {
                Ok(segment) => self.spares.push(segment.into_spare()),
                Err(segment) => self.retired.push(segment),
            }
        }
    }
}
