//! The log as openraft writes it.

use crate::alarm::Alarm;
use crate::log::cache::Cache;
use crate::log::reader;
use crate::log::writer::{self, Write};
use crate::log::{LogReader, OpenLog, SegmentLog};
use crate::metrics::Metrics;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};
use crate::rt::{Runner, Worker};
use openraft::OptionalSend;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait for the writer thread; Raft waits when they are more.
const QUEUE: usize = 4096;

/// What storage, readers and the writer thread share.
pub(crate) struct Shared {
    pub(crate) cache: Mutex<Cache>,
    pub(crate) state: Mutex<Known>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The log's ends and the vote, kept in memory.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
    pub(crate) committed: Option<LogId>,
}

/// The log storage. Clones share one log.
#[derive(Clone)]
pub(crate) struct LogStorage {
    log: Arc<SegmentLog>,
    shared: Arc<Shared>,
    writes: mpsc::Sender<Write>,
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
        let OpenLog { log, appender, vote, committed, purged, last } = opened;
        let mut cache = Cache::new(cache_bytes);
        cache.set_written(last.map(|last| last.index()));
        let state = Mutex::new(Known { vote, purged, last, committed });
        let shared = Arc::new(Shared { cache: Mutex::new(cache), state, metrics: Arc::default() });
        let (writes, queue) = mpsc::channel(QUEUE);
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

    /// Stores a vote while Raft does not run yet.
    pub(crate) async fn preset_vote(&self, vote: Vote) -> io::Result<()> {
        self.ask(|done| Write::Vote { vote, done }).await?;
        self.shared.state.lock().vote = Some(vote);
        Ok(())
    }

    async fn send(&self, write: Write) -> io::Result<()> {
        self.writes.send(write).await.map_err(|_| stopped())
    }

    async fn ask(&self, write: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Write) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(write(done)).await?;
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
        self.shared.state.lock().committed = committed;
        self.send(Write::Committed(committed)).await
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
        {
            let mut cache = self.shared.cache.lock();
            for entry in &entries {
                cache.push(entry.clone(), reader::size(entry));
            }
            if let Some(last) = entries.last() {
                self.shared.state.lock().last = Some(last.log_id());
            }
        }
        self.send(Write::Append { entries, done: callback }).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let after = last_log_id.map(|id| id.index());
        self.shared.cache.lock().truncate_after(after);
        self.shared.state.lock().last = last_log_id;
        // Waits: entries appended next reuse these indexes, and the cache must not take the old ones on disk for them.
        self.ask(|done| Write::Truncate { after, done }).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.shared.cache.lock().purge(upto.index());
        {
            let mut known = self.shared.state.lock();
            known.purged = Some(upto);
            if known.last.is_none_or(|last| last.index() < upto.index()) {
                known.last = Some(upto);
            }
        }
        self.ask(|done| Write::Purge { upto, done }).await
    }
}
