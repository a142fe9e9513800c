//! The log as openraft writes it.

use crate::alarm::Alarm;
use crate::log::cache::Cache;
use crate::log::reader;
use crate::log::writer::{self, Write};
use crate::log::{LogReader, OpenLog, Progress, SegmentLog};
use crate::metrics::Metrics;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};
use crate::rt::{Instant, Runner, Worker};
use openraft::OptionalSend;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};

/// While more bytes of entries than this wait for the writer thread, no proposal is taken. Appending itself never waits: it
/// would hold up heartbeats, and what a leader sends is bounded by what it leaves unanswered.
const WAITING_BYTES: usize = 64 << 20;

/// Appends whose commit is timed, at most.
const TIMED: usize = 4096;

/// What storage, readers and the writer thread share.
pub(crate) struct Shared {
    pub(crate) cache: Mutex<Cache>,
    pub(crate) state: Mutex<Known>,
    /// Bytes of entries that wait for the writer thread.
    pub(crate) waiting: AtomicUsize,
    /// The writer thread is writing a group.
    pub(crate) writing: AtomicBool,
    pub(crate) progress: Progress,
    pub(crate) metrics: Arc<Metrics>,
}

/// The log's ends and the vote, kept in memory.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
    pub(crate) committed: Option<LogId>,
    /// Last indexes of appends that are not known to be committed, and when they came.
    appends: VecDeque<(u64, Instant)>,
}

/// The log storage. Clones share one log.
#[derive(Clone)]
pub(crate) struct LogStorage {
    log: Arc<SegmentLog>,
    shared: Arc<Shared>,
    writes: mpsc::UnboundedSender<Write>,
    alarm: Alarm,
}

impl LogStorage {
    /// Starts the writer thread. It ends when every clone of the storage is gone.
    pub(crate) fn start(
        opened: OpenLog,
        cache_bytes: usize,
        runner: &Runner,
        alarm: &Alarm,
    ) -> io::Result<(Self, Worker)> {
        let OpenLog { log, appender, vote, committed, purged, last, progress } = opened;
        let mut cache = Cache::new(cache_bytes);
        cache.set_written(last.map(|last| last.index()));
        let state = Mutex::new(Known { vote, purged, last, committed, appends: VecDeque::new() });
        let (waiting, writing, metrics) = (AtomicUsize::new(0), AtomicBool::new(false), appender.metrics());
        let shared = Arc::new(Shared { cache: Mutex::new(cache), state, waiting, writing, progress, metrics });
        let (writes, queue) = mpsc::unbounded_channel();
        let thread = runner.thread("raft-log", true, writer::run(appender, shared.clone(), queue, alarm.clone()))?;
        Ok((Self { log, shared, writes, alarm: alarm.clone() }, thread))
    }

    /// Where this member counts; the log counts its own writes there.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        self.shared.metrics.clone()
    }

    /// What is not written through Raft.
    pub(crate) fn log(&self) -> &SegmentLog {
        &self.log
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_new(&self) -> bool {
        let known = self.shared.state.lock();
        known.last.is_none() && known.vote.is_none()
    }

    /// Entries up to this index are gone.
    pub(crate) fn purged(&self) -> Option<u64> {
        self.shared.state.lock().purged.map(|purged| purged.index())
    }

    /// The vote as it is stored.
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.shared.state.lock().vote
    }

    /// Index of the newest entry; `None` while nothing was ever written.
    pub(crate) fn last_index(&self) -> Option<u64> {
        self.shared.state.lock().last.map(|last| last.index())
    }

    /// The disk is so far behind that no more should be proposed.
    pub(crate) fn is_behind(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed) > WAITING_BYTES
    }

    /// While something is being written: a number that grows with every operation that ends.
    pub(crate) fn writing(&self) -> Option<u64> {
        self.shared.writing.load(Ordering::Acquire).then(|| self.shared.progress.made())
    }

    /// Stores a vote while Raft does not run yet.
    pub(crate) async fn preset_vote(&self, vote: Vote) -> io::Result<()> {
        self.ask(|done| Write::Vote { vote, done }).await?;
        self.shared.state.lock().vote = Some(vote);
        Ok(())
    }

    /// Purges, and waits until that is durable.
    pub(crate) async fn purge_durably(&self, upto: LogId) -> io::Result<()> {
        self.forget(upto);
        self.ask(|done| Write::Purge { upto, done: Some(done) }).await
    }

    /// Drops what memory holds up to here.
    fn forget(&self, upto: LogId) {
        self.shared.cache.lock().purge(upto.index());
        let mut known = self.shared.state.lock();
        known.purged = Some(upto);
        if known.last.is_none_or(|last| last.index() < upto.index()) {
            known.last = Some(upto);
        }
        known.appends.retain(|(last, _)| *last > upto.index());
    }

    fn send(&self, write: Write) -> io::Result<()> {
        self.writes.send(write).map_err(|_| stopped())
    }

    async fn ask(&self, write: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Write) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(write(done))?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> io::Error {
    io::Error::other("the log's writer has stopped")
}

impl RaftLogStorage<TypeConfig> for LogStorage {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let known = self.shared.state.lock();
        Ok(LogState { last_purged_log_id: known.purged, last_log_id: known.last })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        LogReader::new(self.log.clone(), self.shared.clone(), self.alarm.clone())
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.preset_vote(*vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        // Need not be durable: the next append takes it along.
        let mut known = self.shared.state.lock();
        known.committed = committed;
        let Some(upto) = committed.map(|id| id.index()) else { return Ok(()) };
        let now = Instant::now();
        while let Some(&(_, began)) = known.appends.front().filter(|(last, _)| *last <= upto) {
            self.shared.metrics.commit.observe(now - began);
            known.appends.pop_front();
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.state.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let mut bytes = 0;
        let committed = {
            let mut cache = self.shared.cache.lock();
            for entry in &entries {
                let size = reader::size(entry);
                bytes += size;
                cache.push(entry.clone(), size);
            }
            let mut known = self.shared.state.lock();
            if let Some(last) = entries.last() {
                known.last = Some(last.log_id());
                if known.appends.len() < TIMED {
                    known.appends.push_back((last.index(), Instant::now()));
                }
            }
            known.committed
        };
        self.shared.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.send(Write::Append { entries, bytes, committed, done: callback })
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let after = last_log_id.map(|id| id.index());
        self.shared.cache.lock().truncate_after(after);
        {
            let mut known = self.shared.state.lock();
            known.last = last_log_id;
            known.appends.retain(|(last, _)| after.is_some_and(|after| *last <= after));
        }
        // Waits: entries appended next reuse these indexes, and the cache must not take the old ones on disk for them.
        self.ask(|done| Write::Truncate { after, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.forget(upto);
        // Not waited for: whatever is written later comes after it, and this is called where heartbeats are sent.
        self.send(Write::Purge { upto, done: None })
    }
}
