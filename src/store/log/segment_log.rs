//! The log on its files: opening it, reading it, and what is not written through Raft.

use crate::codec::decode;
use crate::files::Files;
use crate::log::Progress;
use crate::log::appender::Appender;
use crate::log::damage::Damage;
use crate::log::group;
use crate::log::index::{Held, Index};
use crate::log::manifest::{self, Manifest};
use crate::log::pool::Pool;
use crate::log::recover::recover;
use crate::log::segment::Segment;
use crate::raft::types::{Entry, LogId, Vote};
use crate::rt::Runner;
use openraft::entry::RaftEntry;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// How the log is kept.
#[derive(Clone)]
pub(crate) struct LogOptions {
    /// Of one segment's file.
    pub(crate) segment_bytes: u64,
    /// Entries are written as one group until they are more than so many bytes.
    pub(crate) group_bytes: usize,
    /// Runs what prepares files beside the writer.
    pub(crate) background: Background,
}

/// Runs a job beside the caller, or right away.
pub(crate) type Background = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

impl LogOptions {
    /// The usual ones.
    pub(crate) fn new(runner: Arc<Runner>, segment_bytes: u64) -> Self {
        let background: Background = Arc::new(move |job| runner.beside("raft-log-files", job));
        Self { segment_bytes, group_bytes: 4 << 20, background }
    }
}

/// What readers and the writer share.
pub(crate) struct SegmentLog {
    pub(crate) place: String,
    pub(crate) index: Mutex<Index>,
    manifest: Arc<Mutex<Manifest>>,
}

/// An opened log.
pub(crate) struct OpenLog {
    pub(crate) log: Arc<SegmentLog>,
    pub(crate) appender: Appender,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
    /// What has been done to its files.
    pub(crate) progress: Progress,
}

impl OpenLog {
    /// Opens or creates the log of a member.
    ///
    /// # Errors
    /// The files cannot be read or written, are damaged, or belong to another member or cluster.
    pub(crate) fn open(files: Arc<dyn Files>, cluster: &str, member: u64, options: LogOptions) -> io::Result<Self> {
        let progress = Progress::default();
        let files = progress.of(files);
        let lock = files.lock()?;
        let names = files.list()?;
        let mut manifest = if names.iter().any(|name| name == manifest::NAME) {
            Manifest::open(&*files, cluster, member)?
        } else if let Some(segment) = names.iter().find(|name| Segment::is_name(name)) {
            return Err(Damage::error(&files.place(), manifest::NAME, 0, format!("it is missing beside {segment}")));
        } else {
            Manifest::create(&*files, cluster, member)?
        };
        let mut found = recover(&*files, manifest.contents())?;
        // Which names there are may be known to the system alone, if an earlier process was killed.
        files.sync_dir()?;
        manifest.update(|contents| {
            contents.incarnation += 1;
            contents.durable = found.number.saturating_sub(1);
        })?;
        let incarnation = manifest.contents().incarnation;
        let newest = manifest.contents().newest;
        let manifest = Arc::new(Mutex::new(manifest));
        let index = Mutex::new(std::mem::take(&mut found.index));
        let log = Arc::new(SegmentLog { place: files.place(), index, manifest: manifest.clone() });
        let pool = Pool::new(files, manifest, options.segment_bytes, std::mem::take(&mut found.spares))?;
        let (vote, committed, purged) = (found.memory.vote, found.memory.committed, found.memory.purged);
        let last = found.last;
        let appender = Appender::new(lock, log.clone(), pool, options, found, newest, incarnation)?;
        Ok(Self { log, appender, vote, committed, purged, last, progress })
    }
}

impl SegmentLog {
    /// This member lost its disk and has not caught up yet: it must not vote.
    pub(crate) fn rejoining(&self) -> bool {
        self.manifest.lock().contents().rejoining
    }

    pub(crate) fn set_rejoining(&self, rejoining: bool) -> io::Result<()> {
        self.manifest.lock().update(|contents| contents.rejoining = rejoining)
    }

    /// Groups up to this one are synced, and the log is being closed.
    pub(crate) fn set_durable(&self, number: u64) -> io::Result<()> {
        self.manifest.lock().update(|contents| contents.durable = number)
    }

    /// Entries of `start..end` until they take more than `limit` bytes; at least one if there is one.
    pub(crate) fn range(&self, start: u64, end: u64, limit: usize) -> io::Result<Vec<Entry>> {
        let groups = self.index.lock().range(start, end, limit);
        let mut out = Vec::new();
        let mut bytes = 0;
        for held in groups {
            let Held { place, base, first, last } = held;
            let contents = place.segment.group(&self.place, place.offset, place.length, place.stamp)?;
            let wrong = |what: String| Damage::error(&self.place, &place.segment.name, place.offset, what);
            let (_, entries) = group::split(&contents).map_err(|error| wrong(error.to_string()))?;
            for index in first.max(start)..=last {
                if index >= end || bytes > limit {
                    return Ok(out);
                }
                let at = usize::try_from(index - base).unwrap_or(usize::MAX);
                let encoded = entries.get(at).ok_or_else(|| wrong(format!("entry {index} is not in its group")))?;
                let entry: Entry = decode(encoded).map_err(|error| wrong(error.to_string()))?;
                if entry.index() != index {
                    return Err(wrong(format!("entry {} is where {index} was written", entry.index())));
                }
                bytes += encoded.len();
                out.push(entry);
            }
        }
        Ok(out)
    }
}
