//! The newest entries in memory, bounded by bytes; what is not yet on disk is never dropped.

use crate::raft::types::Entry;
use openraft::entry::RaftEntry;
use std::collections::VecDeque;

/// Consecutive entries ending at the log's last one.
#[derive(Default)]
pub(crate) struct Cache {
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
    limit: usize,
    /// Entries up to here are on disk.
    written: Option<u64>,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Index of the oldest entry held.
    pub(crate) fn first(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.index())
    }

    pub(crate) fn push(&mut self, entry: Entry, bytes: usize) {
        self.bytes += bytes;
        self.entries.push_back((entry, bytes));
        self.evict();
    }

    /// The newest entry that is on disk.
    pub(crate) fn written_mark(&self) -> Option<u64> {
        self.written
    }

    /// Everything up to this index is on disk now.
    pub(crate) fn set_written(&mut self, index: Option<u64>) {
        self.written = index;
        self.evict();
    }

    pub(crate) fn truncate_after(&mut self, index: Option<u64>) {
        while self.entries.back().is_some_and(|(entry, _)| index.is_none_or(|index| entry.index() > index)) {
            self.bytes -= self.entries.pop_back().map_or(0, |(_, bytes)| bytes);
        }
    }

    pub(crate) fn purge(&mut self, upto: u64) {
        while self.entries.front().is_some_and(|(entry, _)| entry.index() <= upto) {
            self.bytes -= self.entries.pop_front().map_or(0, |(_, bytes)| bytes);
        }
    }

    /// Entries of `start..end` that are held; they begin at `start` or at [`Cache::first`], whichever is later.
    pub(crate) fn range(&self, start: u64, end: u64) -> Vec<Entry> {
        let Some(first) = self.first() else {
            return Vec::new();
        };
        let from = usize::try_from(start.saturating_sub(first)).unwrap_or(usize::MAX).min(self.entries.len());
        self.entries.range(from..).map(|(entry, _)| entry).take_while(|entry| entry.index() < end).cloned().collect()
    }

    fn evict(&mut self) {
        while self.bytes > self.limit
            && self.entries.len() > 1
            && self
                .entries
                .front()
                .is_some_and(|(entry, _)| self.written.is_some_and(|written| entry.index() <= written))
        {
            self.bytes -= self.entries.pop_front().map_or(0, |(_, bytes)| bytes);
        }
    }
}
