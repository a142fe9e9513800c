//! The writing end of the log: stages what was asked for, and writes it as groups.

use crate::files::Lock;
use crate::log::frame::{self, BLOCK, Stamp};
use crate::log::group::{self, Head, Memory};
use crate::log::index::Place;
use crate::log::pool::Pool;
use crate::log::recover::Recovered;
use crate::log::segment::{BEGIN, Segment};
use crate::log::segment_log::{LogOptions, SegmentLog};
use crate::metrics::Metrics;
use crate::raft::types::{Entry, LogId, Vote};
use crate::rt::Instant;
use openraft::entry::RaftEntry;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

/// Buffers that have grown beyond this are given back.
const BUFFER: usize = 8 << 20;

/// After any error it must not be used again: what is on disk is unknown then.
pub(crate) struct Appender {
    /// Released when this is dropped, when nothing writes to the directory any more.
    _lock: Lock,
    log: Arc<SegmentLog>,
    pool: Arc<Pool>,
    options: LogOptions,
    /// In use, oldest first; groups go to the last one.
    segments: VecDeque<Arc<Segment>>,
    /// Where the next group goes in it.
    end: u64,
    /// To be used next.
    ahead: VecDeque<Arc<Segment>>,
    /// Being prepared, to come after `ahead`.
    pending: Option<mpsc::Receiver<io::Result<Segment>>>,
    /// The newest segment that is prepared or being prepared.
    newest: u64,
    /// Of the next group.
    number: u64,
    incarnation: u32,
    /// The newest entry, staged ones included.
    last: Option<u64>,
    memory: Memory,
    /// What of it the newest group carries.
    written: Memory,
    truncate: Option<Option<u64>>,
    first: u64,
    count: u64,
    records: Vec<u8>,
    /// Something staged was promised to be durable.
    due: bool,
    frame: Vec<u8>,
    metrics: Arc<Metrics>,
}

impl Appender {
    pub(crate) fn new(
        lock: Lock,
        log: Arc<SegmentLog>,
        pool: Pool,
        options: LogOptions,
        found: Recovered,
        newest: u64,
        incarnation: u32,
    ) -> io::Result<Self> {
        let Recovered { memory, last, number, segments, end, ahead, .. } = found;
        let mut this = Self {
            _lock: lock,
            log,
            pool: Arc::new(pool),
            options,
            segments,
            end,
            ahead,
            pending: None,
            newest,
            number,
            incarnation,
            last: last.map(|last| last.index()),
            written: memory.clone(),
            memory,
            truncate: None,
            first: 0,
            count: 0,
            records: Vec::new(),
            due: false,
            frame: Vec::new(),
            metrics: Arc::default(),
        };
        if this.segments.is_empty() {
            this.next_segment(0)?;
        }
        this.retire()?;
        Ok(this)
    }

    /// Where it counts and times what it writes.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let (index, next) = (entry.index(), self.last.map_or(0, |last| last + 1));
        if index != next {
            let what = format!("log entry {index} came to be written where {next} is due");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if self.records.len() > self.options.group_bytes {
            self.commit()?;
        }
        if self.count == 0 {
            self.first = index;
        }
        group::push_entry(entry, &mut self.records)?;
        self.count += 1;
        self.last = Some(index);
        self.due = true;
        Ok(())
    }

    pub(crate) fn set_vote(&mut self, vote: Vote) {
        self.memory.vote = Some(vote);
        self.due = true;
    }

    /// Goes with the next group: it need not be durable.
    pub(crate) fn set_committed(&mut self, committed: Option<LogId>) {
        self.memory.committed = committed;
    }

    /// Removes all entries after an index.
    pub(crate) fn truncate(&mut self, after: Option<u64>) -> io::Result<()> {
        if self.count > 0 || self.truncate.is_some() {
            self.commit()?;
        }
        self.truncate = Some(after);
        self.last = after;
        self.due = true;
        Ok(())
    }

    /// Removes all entries up to and with this one, which may be beyond the last.
    pub(crate) fn purge(&mut self, upto: LogId) -> io::Result<()> {
        if self.last.is_none_or(|last| last < upto.index()) {
            // Entries staged before are gone, and later ones begin after it.
            self.flush()?;
            self.last = Some(upto.index());
        }
        self.memory.purged = Some(upto);
        self.due = true;
        Ok(())
    }

    /// Writes all that must be durable now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.due { self.commit() } else { Ok(()) }
    }

    /// Writes all that is staged, and says in the manifest that it is there.
    pub(crate) fn close(mut self) -> io::Result<()> {
        if self.due || self.memory != self.written {
            self.commit()?;
        }
        if let Some(pending) = self.pending.take() {
            // Its files are this log's: nothing may go on with them.
            let _ = pending.recv();
        }
        self.log.set_durable(self.number - 1)
    }

    fn commit(&mut self) -> io::Result<()> {
        let mut head =
            Head { memory: self.memory.clone(), truncate: self.truncate, first: self.first, count: self.count };
        // Which segment is the oldest needed is known when there is room; its number takes at most this much.
        head.memory.first_segment = u64::MAX;
        let length = frame::framed(group::encode_head(&head)?.len() + self.records.len()) as u64;
        if self.segments.back().is_none_or(|segment| self.end + length > segment.size) {
            self.next_segment(length)?;
        }
        let Some(segment) = self.segments.back().cloned() else {
            return Err(io::Error::other("the log has no segment to write to"));
        };
        let purged = self.memory.purged.map(|id| id.index());
        let oldest = self.log.index.lock().oldest_above(purged).map(|held| held.place.segment.number);
        self.memory.first_segment = oldest.unwrap_or(segment.number);
        head.memory.first_segment = self.memory.first_segment;
        let stamp = Stamp { number: self.number, incarnation: self.incarnation };
        // On a block of memory too, as writing past the page cache wants it.
        self.frame.clear();
        let head_bytes = group::encode_head(&head)?;
        self.frame.reserve(BLOCK + frame::framed(head_bytes.len() + self.records.len()));
        let begin = self.frame.as_ptr().align_offset(BLOCK).min(BLOCK);
        self.frame.resize(begin, 0);
        frame::frame(stamp, &[&head_bytes, &self.records], &mut self.frame);
        let started = Instant::now();
        segment.file.write_durably(&self.frame[begin..], self.end)?;
        self.metrics.fsync.observe(started.elapsed());
        self.metrics.appended.fetch_add(self.count, Ordering::Relaxed);

        let length = self.frame.len() - begin;
        self.log.index.lock().add(&head, Place { segment, offset: self.end, length, stamp });
        self.end += length as u64;
        self.number += 1;
        self.written = self.memory.clone();
        self.truncate = None;
        self.count = 0;
        self.records.clear();
        self.due = false;
        if self.frame.capacity() > BUFFER {
            self.frame = Vec::new();
            self.records = Vec::new();
        }
        self.retire()?;
        self.look_ahead();
        Ok(())
    }

    /// Gives back segments before the oldest needed one, as the newest group says.
    fn retire(&mut self) -> io::Result<()> {
        let needed = self.written.first_segment;
        let before = self.segments.iter().take_while(|segment| segment.number < needed).count();
        if before == 0 { Ok(()) } else { self.pool.retire(self.segments.drain(..before)) }
    }

    /// Goes on in a segment with so much room.
    fn next_segment(&mut self, room: u64) -> io::Result<()> {
        loop {
            let segment = match (self.ahead.pop_front(), self.pending.take()) {
                (Some(segment), pending) => {
                    self.pending = pending;
                    segment
                }
                (None, Some(pending)) => match pending.recv() {
                    Ok(prepared) => Arc::new(prepared?),
                    // Nobody did it.
                    Err(_) => Arc::new(self.pool.prepare(self.newest, self.number, room)?),
                },
                (None, None) => {
                    self.newest += 1;
                    Arc::new(self.pool.prepare(self.newest, self.number, room)?)
                }
            };
            let fits = BEGIN + room <= segment.size;
            // One that is too small stays in its place, empty, until it is retired.
            self.segments.push_back(segment);
            self.end = BEGIN;
            if fits {
                return Ok(());
            }
        }
    }

    /// Has the next segment prepared when half of this one is used.
    fn look_ahead(&mut self) {
        let half = self.segments.back().is_some_and(|segment| self.end > segment.size / 2);
        if !half || !self.ahead.is_empty() || self.pending.is_some() {
            return;
        }
        self.newest += 1;
        let (done, pending) = mpsc::channel();
        let (pool, number, floor) = (self.pool.clone(), self.newest, self.number);
        (self.options.background)(Box::new(move || {
            let _ = done.send(pool.prepare(number, floor, 0));
        }));
        self.pending = Some(pending);
    }
}
