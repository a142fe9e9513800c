//! The state's database: turning applied entries into batches.

use crate::codec::{decode, encode};
use crate::disk::engine::{Batch, Engine, Flusher};
use crate::disk::record::{self, AppliedEntry, Progress, Record};
use crate::disk::sessions::Sessions;
use std::io;

/// An open database.
pub(crate) struct StateDb {
    engine: Box<dyn Engine>,
}

impl StateDb {
    pub(crate) fn new(engine: Box<dyn Engine>) -> Self {
        Self { engine }
    }

    pub(crate) fn progress(&self) -> io::Result<Progress> {
        let stored = self.engine.get(record::PROGRESS)?;
        stored.map_or_else(|| Ok(Progress::default()), |bytes| decode(&bytes))
    }

    /// Every record of one kind, in order.
    pub(crate) fn scan(&self, tag: u8, mut each: impl FnMut(&[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
        self.engine.scan(&[tag], &mut each)
    }

    /// Writes applied entries, and the sessions and the progress after the last of them, at once and without a write-ahead
    /// log.
    pub(crate) fn write<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e AppliedEntry> + Clone,
        sessions: &mut Sessions,
        progress: &Progress,
    ) -> io::Result<()> {
        self.engine.write(&mut |batch| fill(batch, entries.clone(), sessions, progress))
    }

    /// Everything written so far is on disk when this returns.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.engine.flush()
    }

    /// Flushes from another thread, if the engine can.
    pub(crate) fn flusher(&self) -> Option<Flusher> {
        self.engine.flusher()
    }

    /// A copy of the database as it was flushed, in a directory that does not exist yet.
    pub(crate) fn checkpoint(&mut self, name: &str) -> io::Result<()> {
        self.engine.checkpoint(name)
    }
}

fn fill<'e>(
    batch: &mut dyn Batch,
    entries: impl Iterator<Item = &'e AppliedEntry>,
    sessions: &mut Sessions,
    progress: &Progress,
) -> io::Result<()> {
    let mut encoded = Vec::new();
    for entry in entries {
        sessions.follow(entry);
        for change in &entry.applied.changes {
            encoded.clear();
            Record::encode(change, &mut encoded)?;
            batch.put(&record::change_key(change.revision), &encoded);
        }
        for revision in &entry.applied.dropped {
            batch.delete(&record::change_key(*revision));
        }
        for (resource, floor) in &entry.applied.floors {
            batch.put(&record::floor_key(resource.as_str()), &encode(floor)?);
        }
        if entry.applied.sessions_ended {
            batch.delete_range(&[record::SESSION], &[record::SESSION + 1]);
        }
    }
    for (member, session) in sessions.take() {
        batch.put(&record::session_key(member), &encode(session)?);
    }
    batch.put(record::PROGRESS, &encode(progress)?);
    Ok(())
}
