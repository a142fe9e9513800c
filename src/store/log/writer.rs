//! The thread that writes the log: takes all that has queued up, writes it as one group, answers.

use crate::alarm::Alarm;
use crate::log::appender::Appender;
use crate::log::storage::Shared;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};
use crate::rt::{self, Instant};
use openraft::entry::RaftEntry;
use openraft::storage::IOFlushed;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// One write, in the order in which Raft asked for it.
pub(crate) enum Write {
    Append { entries: Vec<Entry>, done: IOFlushed<TypeConfig> },
    Vote { vote: Vote, done: oneshot::Sender<io::Result<()>> },
    Committed(Option<LogId>),
    Truncate { after: Option<u64>, done: oneshot::Sender<io::Result<()>> },
    Purge { upto: LogId, done: oneshot::Sender<io::Result<()>> },
}

/// How many writes are taken at once at most.
const BATCH: usize = 1024;

enum Done {
    Flushed(IOFlushed<TypeConfig>),
    Answer(oneshot::Sender<io::Result<()>>),
}

/// Runs until all senders are gone; after a failed write every later one fails too.
pub(crate) async fn run(mut log: Appender, shared: Arc<Shared>, mut writes: mpsc::Receiver<Write>, alarm: Alarm) {
    let mut taken = Vec::with_capacity(BATCH);
    let mut failure: Option<String> = None;
    while writes.recv_many(&mut taken, BATCH).await > 0 {
        let mut dones = Vec::with_capacity(taken.len());
        let mut written = shared.cache.lock().written_mark();
        let result = match &failure {
            Some(reason) => {
                dones.extend(taken.drain(..).filter_map(into_done));
                Err(io::Error::other(reason.clone()))
            }
            None => {
                let started = Instant::now();
                let entries = taken.iter().map(entries_of).sum::<usize>();
                let result = write(&mut log, taken.drain(..), &mut dones, &mut written);
                shared.metrics.fsync.observe(started.elapsed());
                shared.metrics.appended.fetch_add(entries as u64, Ordering::Relaxed);
                result
            }
        };
        rt::step().await;
        match &result {
            Ok(()) => shared.cache.lock().set_written(written),
            Err(error) if failure.is_none() => {
                alarm.raise("the Raft log cannot be written", error);
                failure = Some(error.to_string());
            }
            Err(_) => {}
        }
        for done in dones {
            let result = match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::other(error.to_string())),
            };
            match done {
                Done::Flushed(callback) => callback.io_completed(result),
                Done::Answer(answer) => drop(answer.send(result)),
            }
        }
    }
    if failure.is_none()
        && let Err(error) = log.close()
    {
        tracing::warn!(%error, "the Raft log was not closed cleanly");
    }
}

fn entries_of(write: &Write) -> usize {
    if let Write::Append { entries, .. } = write { entries.len() } else { 0 }
}

fn into_done(write: Write) -> Option<Done> {
    match write {
        Write::Append { done, .. } => Some(Done::Flushed(done)),
        Write::Vote { done, .. } | Write::Truncate { done, .. } | Write::Purge { done, .. } => Some(Done::Answer(done)),
        Write::Committed(_) => None,
    }
}

/// Everything is durable when it returns; after an error nothing of it may be relied on. `dones` gets all that wait for it,
/// either way.
fn write(
    log: &mut Appender,
    writes: impl Iterator<Item = Write>,
    dones: &mut Vec<Done>,
    written: &mut Option<u64>,
) -> io::Result<()> {
    let mut result = Ok(());
    for write in writes {
        if result.is_ok() {
            result = stage(log, &write, written);
        }
        dones.extend(into_done(write));
    }
    result?;
    log.flush()
}

fn stage(log: &mut Appender, write: &Write, written: &mut Option<u64>) -> io::Result<()> {
    match write {
        Write::Append { entries, .. } => {
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
        Write::Committed(committed) => {
            log.set_committed(*committed);
            Ok(())
        }
        Write::Truncate { after, .. } => {
            *written = *after;
            log.truncate(*after)
        }
        Write::Purge { upto, .. } => log.purge(*upto),
    }
}
