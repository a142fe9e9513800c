//! A member's data directory.

use crate::disk::db::StateDb;
use crate::disk::engine::Engines;
use crate::disk::load;
use crate::disk::snapshots::SnapshotDir;
use crate::files::{Files, Tree};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Name of the state's database.
pub(crate) const STATE: &str = "state";

/// The state that a snapshot replaces, until it has done so.
const OLD_STATE: &str = "state.old";

/// What comes and goes.
const SNAPSHOTS: &str = "snapshots";

/// A snapshot that is being received: kept over a restart, to go on with.
const INCOMING: &str = "incoming";

/// Bytes that are copied at a time.
const COPY: usize = 1 << 20;

/// `log/`, `state/`, `snapshots/` and `incoming/`.
pub(crate) struct Directory {
    tree: Arc<dyn Tree>,
    counter: AtomicU64,
    /// What opens databases here, once the state is open.
    engines: OnceLock<Arc<dyn Engines>>,
}

impl Directory {
    /// Finishes an interrupted swap of the state and removes left-over snapshots.
    pub(crate) fn open(tree: Arc<dyn Tree>) -> io::Result<Self> {
        if !tree.exists(STATE)? && tree.exists(OLD_STATE)? {
            tree.rename(OLD_STATE, STATE)?;
            tree.sync("")?;
        }
        tree.remove(OLD_STATE)?;
        tree.remove(SNAPSHOTS)?;
        tree.directory(SNAPSHOTS)?;
        Ok(Self { tree, counter: AtomicU64::new(0), engines: OnceLock::new() })
    }

    /// A name for a new snapshot, whose directory does not exist yet.
    pub(crate) fn new_snapshot(&self) -> SnapshotDir {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        SnapshotDir::own(self.tree.clone(), format!("{SNAPSHOTS}/{number}"))
    }

    /// Where a snapshot is received, with what an earlier attempt has left.
    pub(crate) fn incoming(&self) -> io::Result<Arc<dyn Files>> {
        self.tree.directory(INCOMING)
    }

    /// What was received is a whole snapshot.
    pub(crate) fn arrived(&self) -> io::Result<SnapshotDir> {
        let snapshot = self.new_snapshot();
        self.tree.rename(INCOMING, snapshot.name())?;
        Ok(snapshot)
    }

    pub(super) fn set_engines(&self, engines: Arc<dyn Engines>) {
        // The first ones stay: all open the same.
        let _ = self.engines.set(engines);
    }

    /// Reads all of a snapshot that was received: only what is whole may take the place of a good state. It may have been
    /// damaged on the disk of who sent it.
    pub(crate) fn check(&self, snapshot: &SnapshotDir) -> io::Result<()> {
        let Some(engines) = self.engines.get() else { return Ok(()) };
        load::check(&StateDb::new(engines.open(snapshot.name())?))
    }

    /// The same for a snapshot of this member's own, which is left alone: opening a database writes to it.
    pub(crate) fn check_own(&self, snapshot: &SnapshotDir) -> io::Result<()> {
        self.check(&self.copy_of(snapshot)?)
    }

    /// Nobody goes on with what was received.
    pub(crate) fn remove_incoming(&self) -> io::Result<()> {
        self.tree.remove(INCOMING)
    }

    /// A copy (hard links) of a snapshot's files.
    fn copy_of(&self, snapshot: &SnapshotDir) -> io::Result<SnapshotDir> {
        let fresh = self.new_snapshot();
        let (from, to) = (snapshot.open()?, fresh.open()?);
        for (name, size) in snapshot.files()? {
            // Tables never change; everything else in a checkpoint (MANIFEST, CURRENT, OPTIONS) may.
            if name.ends_with(".sst") {
                self.tree.link(&name, snapshot.name(), fresh.name())?;
            } else {
                copy(&*from, &*to, &name, size)?;
            }
        }
        to.sync_dir()?;
        Ok(fresh)
    }

    /// Puts a copy of a snapshot in the place of the closed state database. A crash at any point leaves either the old state
    /// or the new one.
    pub(crate) fn swap_state(&self, snapshot: &SnapshotDir) -> io::Result<()> {
        let fresh = self.copy_of(snapshot)?;
        self.tree.remove(OLD_STATE)?;
        if self.tree.exists(STATE)? {
            self.tree.rename(STATE, OLD_STATE)?;
        }
        self.tree.rename(fresh.name(), STATE)?;
        self.tree.sync("")?;
        self.tree.remove(OLD_STATE)
    }
}

fn copy(from: &dyn Files, to: &dyn Files, name: &str, size: u64) -> io::Result<()> {
    let (source, copy) = (from.open(name)?, to.create(name)?);
    let mut offset = 0;
    while offset < size {
        let mut piece = vec![0; COPY.min(usize::try_from(size - offset).unwrap_or(COPY))];
        source.read_at(&mut piece, offset)?;
        copy.write_at(&piece, offset)?;
        offset += piece.len() as u64;
    }
    copy.sync_data()
}
