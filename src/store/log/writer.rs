//! The thread that writes the log: takes all that has queued up, writes it as one group, answers.

use crate::alarm::Alarm;
use crate::log::appender::Appender;
use crate::log::storage::Shared;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};
use crate::rt;
use openraft::entry::RaftEntry;
use openraft::storage::IOFlushed;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// One write, in the order in which Raft asked for it.
pub(crate) enum Write {
    /// Entries of so many bytes in memory, and how far the log was known to be committed before them.
    Append {
        entries: Vec<Entry>,
        bytes: usize,
        committed: Option<LogId>,
        done: IOFlushed<TypeConfig>,
    },
    Vote {
        vote: Vote,
        done: oneshot::Sender<io::Result<()>>,
    },
    Truncate {
        after: Option<u64>,
        done: oneshot::Sender<io::Result<()>>,
    },
    Purge {
        upto: LogId,
        done: Option<oneshot::Sender<io::Result<()>>>,
    },
}

/// How many writes are taken at once at most.
const BATCH: usize = 1024;

/// Who waits for a group.
#[derive(Default)]
struct Waiting {
    flushed: Vec<IOFlushed<TypeConfig>>,
    answers: Vec<oneshot::Sender<io::Result<()>>>,
    bytes: usize,
}

impl Waiting {
    fn add(&mut self, write: Write) {
        match write {
            Write::Append { bytes, done, .. } => {
                self.bytes += bytes;
                // Raft keeps a watermark: the later one of these tells it all that the earlier one would.
                if let (Some(IOFlushed::Notify(_)), IOFlushed::Notify(_)) = (self.flushed.last(), &done) {
                    self.flushed.pop();
                }
                self.flushed.push(done);
            }
            Write::Vote { done, .. } | Write::Truncate { done, .. } => self.answers.push(done),
            Write::Purge { done, .. } => self.answers.extend(done),
        }
    }

    fn answer(self, failure: Option<&str>) {
        let result = || failure.map_or(Ok(()), |reason| Err(io::Error::other(reason.to_owned())));
        self.flushed.into_iter().for_each(|done| done.io_completed(result()));
        for done in self.answers {
            let _ = done.send(result());
        }
    }
}

/// Runs until all senders are gone; after a failed write every later one fails too.
pub(crate) async fn run(
    mut log: Appender,
    shared: Arc<Shared>,
    mut writes: mpsc::UnboundedReceiver<Write>,
    alarm: Alarm,
) {
    let mut taken = Vec::with_capacity(BATCH);
    let mut failure: Option<String> = None;
    while writes.recv_many(&mut taken, BATCH).await > 0 {
        let mut waiting = Waiting::default();
        if failure.is_some() {
            taken.drain(..).for_each(|write| waiting.add(write));
        } else {
            let mut written = shared.cache.lock().written_mark();
            shared.progress.make();
            shared.writing.store(true, Ordering::Release);
            let result = write(&mut log, taken.drain(..), &mut waiting, &mut written);
            rt::step().await;
            shared.writing.store(false, Ordering::Release);
            match result {
                Ok(()) => shared.cache.lock().set_written(written),
                Err(error) => {
                    alarm.raise("the Raft log cannot be written", &error);
                    failure = Some(error.to_string());
                }
            }
        }
        shared.waiting.fetch_sub(waiting.bytes, Ordering::Relaxed);
        waiting.answer(failure.as_deref());
    }
    log.set_committed(shared.state.lock().committed);
    if failure.is_none()
        && let Err(error) = log.close()
    {
        tracing::warn!(%error, "the Raft log was not closed cleanly");
    }
}

/// Everything is durable when it returns; after an error nothing of it may be relied on. `waiting` gets all that wait for
/// it, either way.
fn write(
    log: &mut Appender,
    writes: impl Iterator<Item = Write>,
    waiting: &mut Waiting,
    written: &mut Option<u64>,
) -> io::Result<()> {
    let mut result = Ok(());
    for write in writes {
        if result.is_ok() {
            result = stage(log, &write, written);
        }
        waiting.add(write);
    }
    result?;
    log.flush()
}

fn stage(log: &mut Appender, write: &Write, written: &mut Option<u64>) -> io::Result<()> {
    match write {
        Write::Append { entries, committed, .. } => {
            log.set_committed(*committed);
            for entry in entries {
                log.append(entry)?;
                *written = Some(entry.index());
            }
            Ok(())
        }
        Write::Vote { vote, .. } => {
            log.set_vote(*vote);
            Ok(())
        }
        Write::Truncate { after, .. } => {
            *written = *after;
            log.truncate(*after)
        }
        Write::Purge { upto, .. } => log.purge(*upto),
    }
}
