//! Where a member's tasks, threads and blocking calls run.

use super::context::{Context, current};
use super::executor::here;
use super::join::{JoinHandle, start};
use super::scoped::Scoped;
use crate::member::RaftThread;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A member's own place to run.
pub(crate) enum Runner {
    /// A running master: its Raft thread, and threads of their own for what blocks.
    Threads(RaftThread),
    /// A simulation: everything is a task of it.
    Simulated(Arc<Context>),
}

impl Runner {
    /// The Raft thread's runtime; a simulation has none.
    pub(crate) fn handle(&self) -> Option<tokio::runtime::Handle> {
        match self {
            Self::Threads(thread) => Some(thread.handle().clone()),
            Self::Simulated(_) => None,
        }
    }

    /// Starts a task among the member's own.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self {
            Self::Threads(thread) => JoinHandle::Tokio(thread.handle().spawn(future)),
            Self::Simulated(member) => spawn_in(member, future),
        }
    }

    /// Starts what may block on a disk: alone on a thread of this name, at raised priority if elections depend on it.
    /// Around each operation it awaits [`step`].
    pub(crate) fn thread<F>(&self, name: &str, urgent: bool, future: F) -> io::Result<Worker>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self {
            Self::Threads(raft) => {
                let first = urgent.then_some(raft.urgent());
                let run = move || {
                    if let Some(first) = first {
                        first();
                    }
                    futures::executor::block_on(future);
                };
                std::thread::Builder::new().name(name.into()).spawn(run).map(Worker::Thread)
            }
            Self::Simulated(member) => {
                let (ended, end) = oneshot::channel();
                let run = async move {
                    future.await;
                    let _ = ended.send(());
                };
                spawn_in(member, run);
                Ok(Worker::Task(end))
            }
        }
    }

    /// Runs a job beside everything else; in a simulation at once. A job for which there is no thread is dropped.
    pub(crate) fn beside(&self, name: &str, job: Box<dyn FnOnce() + Send>) {
        match self {
            Self::Threads(_) => {
                if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(job) {
                    tracing::warn!(%error, name, "a thread could not be started");
                }
            }
            Self::Simulated(member) => {
                // Whoever asked for it waits for its own devices only.
                let own = member.take_debt();
                job();
                member.take_debt();
                member.charge(own);
            }
        }
    }

    /// What ends all tasks where they are and blocks until that is done.
    pub(crate) fn stop(&self) -> impl FnOnce() + Send + 'static {
        let stop: Box<dyn FnOnce() + Send> = match self {
            Self::Threads(thread) => Box::new(thread.stop()),
            // Whoever simulates ends the member's context.
            Self::Simulated(_) => Box::new(|| {}),
        };
        stop
    }
}

/// What [`Runner::thread`] started.
pub(crate) enum Worker {
    Thread(std::thread::JoinHandle<()>),
    Task(oneshot::Receiver<()>),
}

impl Worker {
    /// Blocks until the thread has ended, and says whether without a panic. A simulated one is not waited for.
    pub(crate) fn join(self) -> bool {
        let well = match self {
            Self::Thread(thread) => thread.join().is_ok(),
            Self::Task(_) => true,
        };
        if !well {
            tracing::error!("a thread of the store panicked");
        }
        well
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(self) {
        match self {
            Self::Thread(_) => {
                // On a thread of its own: no runtime must wait for one that a disk holds.
                let (done, end) = oneshot::channel();
                let join = move || {
                    self.join();
                    let _ = done.send(());
                };
                if std::thread::Builder::new().name("raft-end".into()).spawn(join).is_ok() {
                    let _ = end.await;
                }
            }
            Self::Task(end) => drop(end.await),
        }
    }
}

/// Starts a task as a part of a simulated member.
pub(crate) fn spawn_in<F>(member: &Arc<Context>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (abort, task) = start(member.executor(), Scoped::new(member.clone(), future));
    member.owns(abort);
    task
}

/// Starts a task of the simulation that belongs to no member.
pub(crate) fn spawn_plain<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match here() {
        None => JoinHandle::Tokio(tokio::spawn(future)),
        Some(simulation) => start(&simulation, future).1,
    }
}

/// Starts a task beside the one that runs, for the same member.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match current() {
        None => spawn_plain(future),
        Some(member) => spawn_in(&member, future),
    }
}

/// Runs what may block on a disk without holding up tasks.
///
/// # Errors
/// It panicked, or the runtime is ending.
pub(crate) async fn blocking<T, F>(run: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if here().is_none() {
        return tokio::task::spawn_blocking(run).await.map_err(io::Error::other);
    }
    let result = run();
    step().await;
    Ok(result)
}

/// Between two operations on a disk: a simulation lets the time pass that they take, and others go on or crash meanwhile.
/// In a running master the operations took that time themselves and this does nothing.
pub(crate) async fn step() {
    if let Some(member) = current() {
        super::truth::sleep(member.take_debt() + Duration::from_nanos(1)).await;
    }
}

/// Waits on a thread of [`Runner::thread`], which has no timers.
pub(crate) async fn pause(duration: Duration) {
    match current() {
        Some(_) => super::sleep(duration).await,
        None => std::thread::sleep(duration),
    }
}
