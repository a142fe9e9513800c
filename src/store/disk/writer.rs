//! The thread that owns the state's database.

use crate::alarm::Alarm;
use crate::disk::db::StateDb;
use crate::disk::directory::STATE;
use crate::disk::engine::Flusher;
use crate::disk::load::{self, Loaded};
use crate::disk::record::{AppliedEntry, Progress};
use crate::disk::sessions::Sessions;
use crate::disk::snapshots::Current;
use crate::disk::{Directory, Engines, SnapshotDir};
use crate::raft::types::SnapshotMeta;
use crate::rt::{self, Runner, Worker};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Batches of applied entries that may wait; applying waits when they are more.
const QUEUE: usize = 16384;

/// Bytes of objects in them; a larger batch waits alone.
const BYTES: u32 = 64 << 20;

/// Nobody waits for what is written here, so that it gathers for a while: one large write costs far less than many.
const PAUSE: Duration = Duration::from_millis(4);

const UNFLUSHED: &str = "the state cannot be written for a snapshot";

enum Order {
    Applied(Batch),
    Snapshot(oneshot::Sender<io::Result<Current>>),
    Install { snapshot: SnapshotDir, done: oneshot::Sender<io::Result<(Loaded, Current)>> },
}

/// What was applied at once, and how far the state is after it.
struct Batch {
    entries: Vec<AppliedEntry>,
    progress: Progress,
    _room: OwnedSemaphorePermit,
}

/// The way to the thread. Orders are carried out one after the other.
#[derive(Clone)]
pub(crate) struct Disk {
    orders: mpsc::Sender<Order>,
    alarm: Alarm,
    room: Arc<Semaphore>,
    flusher: SharedFlusher,
}

/// Flushes the database that is open now. Locked while it does, so that nobody closes that one meanwhile.
type SharedFlusher = Arc<Mutex<Option<Flusher>>>;

/// Opens and loads the state, and starts the thread; it ends when every [`Disk`] is gone.
pub(crate) fn start(
    directory: Arc<Directory>,
    engines: Arc<dyn Engines>,
    runner: &Runner,
    alarm: &Alarm,
) -> io::Result<(Disk, Loaded, Worker)> {
    let db = StateDb::new(engines.open(STATE)?);
    let loaded = load::load(&db)?;
    let progress = loaded.progress.clone();
    let (orders, queue) = mpsc::channel(QUEUE);
    let flusher = Arc::new(Mutex::new(db.flusher()));
    directory.set_engines(engines.clone());
    let sessions = Sessions::of(&loaded.state);
    let writer =
        Writer { directory, engines, db: Some(db), progress, sessions, flusher: flusher.clone(), alarm: alarm.clone() };
    let thread = runner.thread("raft-state", false, writer.run(queue))?;
    let disk = Disk { orders, flusher, room: Arc::new(Semaphore::new(BYTES as usize)), alarm: alarm.clone() };
    Ok((disk, loaded, thread))
}

impl Disk {
    /// Hands over what was applied. Waits while the thread is far behind.
    pub(crate) async fn applied(&self, entries: Vec<AppliedEntry>, progress: Progress) -> io::Result<()> {
        let changes = entries.iter().flat_map(|entry| &entry.applied.changes);
        let bytes: usize = changes.map(|change| change.object.json.len()).sum();
        let bytes = u32::try_from(bytes).unwrap_or(BYTES).min(BYTES);
        // Never closed.
        let _room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| self.stopped())?;
        self.orders.send(Order::Applied(Batch { entries, progress, _room })).await.map_err(|_| self.stopped())
    }

    /// A snapshot of everything handed over before; all of it is on disk too.
    pub(crate) async fn snapshot(&self) -> io::Result<Current> {
        // Most of it beside the thread, so that only the rest is left to flush where batches wait.
        let flusher = self.flusher.clone();
        let flush = move || flusher.lock().as_ref().map_or(Ok(()), |flush| flush());
        rt::blocking(flush).await?.inspect_err(|error| self.alarm.raise(UNFLUSHED, error))?;
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Snapshot(done)).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    /// Replaces the state by a snapshot.
    pub(crate) async fn install(&self, snapshot: SnapshotDir) -> io::Result<(Loaded, Current)> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Install { snapshot, done }).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    fn stopped(&self) -> io::Error {
        io::Error::other(self.alarm.reason().unwrap_or_else(|| "the state's writer has stopped".into()))
    }
}

struct Writer {
    directory: Arc<Directory>,
    engines: Arc<dyn Engines>,
    /// Closed only while its directory is swapped.
    db: Option<StateDb>,
    progress: Progress,
    sessions: Sessions,
    flusher: SharedFlusher,
    alarm: Alarm,
}

fn closed() -> io::Error {
    io::Error::other("the state's database is closed after a failed installation")
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut taken = Vec::new();
        let mut batches = Vec::new();
        while orders.recv_many(&mut taken, QUEUE).await > 0 {
            for order in taken.drain(..) {
                match order {
                    Order::Applied(batch) => {
                        batches.push(batch);
                        continue;
                    }
                    // After a failed write the thread ends: senders see it at their next order.
                    _ if !self.write(&mut batches).await => return,
                    Order::Snapshot(done) => {
                        let current = self.snapshot();
                        rt::step().await;
                        if let Err(error) = &current {
                            self.alarm.raise(UNFLUSHED, error);
                        }
                        drop(done.send(current));
                    }
                    Order::Install { snapshot, done } => {
                        let installed = self.install(&snapshot);
                        rt::step().await;
                        if let Err(error) = &installed {
                            self.alarm.raise("a snapshot cannot be put in the place of the state", error);
                        }
                        drop(done.send(installed));
                    }
                }
            }
            if !self.write(&mut batches).await {
                return;
            }
            rt::pause(PAUSE).await;
        }
        self.flusher.lock().take();
        if let Err(error) = self.db().and_then(|db| db.flush()) {
            tracing::error!(%error, "the state was not flushed; it is applied again from the log");
        }
    }

    /// Writes these batches as one, and says whether that went well.
    async fn write(&mut self, batches: &mut Vec<Batch>) -> bool {
        let Some(last) = batches.last() else { return true };
        let progress = last.progress.clone();
        let entries = batches.iter().flat_map(|batch| &batch.entries);
        let written = match &mut self.db {
            Some(db) => db.write(entries, &mut self.sessions, &progress),
            None => Err(closed()),
        };
        rt::step().await;
        batches.clear();
        self.progress = progress;
        written.inspect_err(|error| self.alarm.raise("the state cannot be written", error)).is_ok()
    }

    fn db(&mut self) -> io::Result<&mut StateDb> {
        self.db.as_mut().ok_or_else(closed)
    }

    fn snapshot(&mut self) -> io::Result<Current> {
        let directory = self.directory.new_snapshot();
        let db = self.db()?;
        db.flush()?;
        db.checkpoint(directory.name())?;
        let meta =
            SnapshotMeta { last_log_id: self.progress.applied, last_membership: (*self.progress.membership).clone() };
        Ok(Current { meta, directory })
    }

    fn install(&mut self, snapshot: &SnapshotDir) -> io::Result<(Loaded, Current)> {
        self.flusher.lock().take();
        self.db = None;
        self.directory.swap_state(snapshot)?;
        let db = StateDb::new(self.engines.open(STATE)?);
        let loaded = load::load(&db)?;
        self.progress = loaded.progress.clone();
        self.sessions = Sessions::of(&loaded.state);
        *self.flusher.lock() = db.flusher();
        self.db = Some(db);
        Ok((loaded, self.snapshot()?))
    }
}
