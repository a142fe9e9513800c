//! The state's database: turning applied entries into batches.

use crate::codec::{decode, encode};
use crate::disk::engine::{Batch, Engine};
use crate::disk::record::{self, AppliedEntry, Progress, Record, Sessions};
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
    pub(crate) fn write(
        &mut self,
        entries: &[AppliedEntry],
        sessions: &Sessions,
        progress: &Progress,
    ) -> io::Result<()> {
        self.engine.write(&mut |batch| fill(batch, entries, sessions, progress))
    }

    /// Everything written so far is on disk when this returns.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.engine.flush()
    }

    /// A copy of the database as it was flushed, in a directory that does not exist yet.
    pub(crate) fn checkpoint(&mut self, name: &str) -> io::Result<()> {
        self.engine.checkpoint(name)
    }
}

fn fill(batch: &mut dyn Batch, entries: &[AppliedEntry], sessions: &Sessions, progress: &Progress) -> io::Result<()> {
    for entry in entries {
        for change in &entry.applied.changes {
            batch.put(&record::change_key(change.revision), &encode(&Record::from(&**change))?);
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
    for (member, session) in sessions {
        batch.put(&record::session_key(*member), &encode(session)?);
    }
    batch.put(record::PROGRESS, &encode(progress)?);
    Ok(())
}
