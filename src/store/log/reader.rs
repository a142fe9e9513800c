//! Reading the log: from the cache, and from disk for those who lag behind it.

use crate::alarm::Alarm;
use crate::log::SegmentLog;
use crate::log::storage::Shared;
use crate::raft::types::{Entry, TypeConfig, Vote};
use crate::rt;
use openraft::entry::RaftEntry;
use openraft::{OptionalSend, RaftLogReader};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// One read for replication gives about so many bytes at most.
const SEND_BYTES: usize = 1 << 20;

/// Reads entries and the vote.
#[derive(Clone)]
pub(crate) struct LogReader {
    log: Arc<SegmentLog>,
    shared: Arc<Shared>,
    alarm: Alarm,
}

impl LogReader {
    pub(crate) fn new(log: Arc<SegmentLog>, shared: Arc<Shared>, alarm: Alarm) -> Self {
        Self { log, shared, alarm }
    }

    async fn read(&self, start: u64, end: u64, limit: usize) -> io::Result<Vec<Entry>> {
        // What is purged may still be on disk: the writer may not have come to it.
        let purged = self.shared.state.lock().purged;
        let start = start.max(purged.map_or(0, |purged| purged.index() + 1));
        if start >= end {
            return Ok(Vec::new());
        }
        let (cached, first) = {
            let cache = self.shared.cache.lock();
            (cache.range(start, end), cache.first())
        };
        let disk_end = first.map_or(end, |first| first.min(end));
        if start >= disk_end {
            return whole(bounded(cached, limit));
        }
        let log = self.log.clone();
        let read = rt::blocking(move || log.range(start, disk_end, limit)).await?;
        let mut entries = read.inspect_err(|error| self.alarm.raise("the Raft log cannot be read", error))?;
        if entries.last().is_none_or(|last| last.index() + 1 == disk_end) {
            entries.extend(cached);
        }
        whole(bounded(entries, limit))
    }
}

/// The entries if they follow one another; a hole is damage.
fn whole(entries: Vec<Entry>) -> io::Result<Vec<Entry>> {
    match entries.windows(2).find(|pair| pair[0].index() + 1 != pair[1].index()) {
        None => Ok(entries),
        Some(pair) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("log: nothing between entries {} and {}", pair[0].index(), pair[1].index()),
        )),
    }
}

fn bounded(mut entries: Vec<Entry>, limit: usize) -> Vec<Entry> {
    let mut bytes = 0;
    let keep = entries.iter().take_while(|entry| {
        let fits = bytes <= limit;
        bytes += size(entry);
        fits
    });
    let keep = keep.count();
    entries.truncate(keep);
    entries
}

/// About what an entry takes, in bytes.
pub(crate) fn size(entry: &Entry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(command) => command.0.len() + 64,
        _ => 128,
    }
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.read(start, end, usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        let entries = self.read(start, end, SEND_BYTES).await?;
        // For replication: later entries must never be sent in the place of purged ones.
        Ok(if entries.first().is_some_and(|first| first.index() != start) { Vec::new() } else { entries })
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.state.lock().vote)
    }
}
