//! The thread that owns the state's database.

use crate::alarm::Alarm;
use crate::disk::db::StateDb;
use crate::disk::directory::STATE;
use crate::disk::load::{self, Loaded};
use crate::disk::record::{AppliedEntry, Progress, Sessions};
use crate::disk::snapshots::Current;
use crate::disk::{Directory, Engines, SnapshotDir};
use crate::raft::types::SnapshotMeta;
use crate::rt::{self, Runner, Worker};
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Batches of applied entries that may wait; applying waits when they are more.
const QUEUE: usize = 1024;

/// Bytes of objects in them; a larger batch waits alone.
const BYTES: u32 = 64 << 20;

enum Order {
    Applied { entries: Vec<AppliedEntry>, sessions: Sessions, progress: Progress, _room: OwnedSemaphorePermit },
    Snapshot(oneshot::Sender<io::Result<Current>>),
    Install { snapshot: SnapshotDir, done: oneshot::Sender<io::Result<(Loaded, Current)>> },
}

/// The way to the thread. Orders are carried out one after the other.
#[derive(Clone)]
pub(crate) struct Disk {
    orders: mpsc::Sender<Order>,
    alarm: Alarm,
    room: Arc<Semaphore>,
}

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
    let writer = Writer { directory, engines, db: Some(db), progress, alarm: alarm.clone() };
    let thread = runner.thread("raft-state", false, writer.run(queue))?;
    let disk = Disk { orders, room: Arc::new(Semaphore::new(BYTES as usize)), alarm: alarm.clone() };
    Ok((disk, loaded, thread))
}

impl Disk {
    /// Hands over what was applied. Waits while the thread is far behind.
    pub(crate) async fn applied(
        &self,
        entries: Vec<AppliedEntry>,
        sessions: Sessions,
        progress: Progress,
    ) -> io::Result<()> {
        let changes = entries.iter().flat_map(|entry| &entry.applied.changes);
        let bytes: usize = changes.map(|change| change.object.json.len()).sum();
        let bytes = u32::try_from(bytes).unwrap_or(BYTES).min(BYTES);
        // Never closed.
        let _room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| self.stopped())?;
        self.orders.send(Order::Applied { entries, sessions, progress, _room }).await.map_err(|_| self.stopped())
    }

    /// A snapshot of everything handed over before; all of it is on disk too.
    pub(crate) async fn snapshot(&self) -> io::Result<Current> {
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
    alarm: Alarm,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            // After a failed write the thread ends: senders see it at their next order.
            match order {
                Order::Applied { entries, sessions, progress, _room } => {
                    if let Err(error) = self.write(&entries, &sessions, progress) {
                        self.alarm.raise("the state cannot be written", &error);
                        return;
                    }
                    rt::step().await;
                }
                Order::Snapshot(done) => {
                    let current = self.snapshot();
                    rt::step().await;
                    if let Err(error) = &current {
                        self.alarm.raise("the state cannot be written for a snapshot", error);
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
        if let Err(error) = self.db().and_then(|db| db.flush()) {
            tracing::error!(%error, "the state was not flushed; it is applied again from the log");
        }
    }

    fn db(&mut self) -> io::Result<&mut StateDb> {
        self.db.as_mut().ok_or_else(|| io::Error::other("the state's database is closed after a failed installation"))
    }

    fn write(&mut self, entries: &[AppliedEntry], sessions: &Sessions, progress: Progress) -> io::Result<()> {
        self.db()?.write(entries, sessions, &progress)?;
        self.progress = progress;
        Ok(())
    }

    fn snapshot(&mut self) -> io::Result<Current> {
        let directory = self.directory.new_snapshot();
        let db = self.db()?;
        db.flush()?;
        db.checkpoint(directory.name())?;
        let meta =
            SnapshotMeta { last_log_id: self.progress.applied, last_membership: self.progress.membership.clone() };
        Ok(Current { meta, directory })
    }

    fn install(&mut self, snapshot: &SnapshotDir) -> io::Result<(Loaded, Current)> {
        self.db = None;
        self.directory.swap_state(snapshot)?;
        let db = StateDb::new(self.engines.open(STATE)?);
        let loaded = load::load(&db)?;
        self.progress = loaded.progress.clone();
        self.db = Some(db);
        Ok((loaded, self.snapshot()?))
    }
}
