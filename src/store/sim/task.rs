//! Running a simulation, and its tasks beside the members.

use crate::rt::{Executor, JoinHandle, Stuck, spawn_plain, truth};
use std::future::Future;
use std::time::Duration;

/// Runs a simulation to the end of this future, then ends everything else in it.
///
/// # Errors
/// It cannot go on.
pub fn run<T>(seed: u64, simulation: impl Future<Output = T>) -> Result<T, Stuck> {
    Executor::new(seed).run(simulation)
}

/// True time since the simulation began; zero outside of one.
pub fn elapsed() -> Duration {
    crate::rt::here().map_or(Duration::ZERO, |simulation| simulation.elapsed())
}

/// Waits, in true time.
pub async fn sleep(duration: Duration) {
    truth::sleep(duration).await;
}

/// Gives a future at most so long, in true time.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    truth::timeout(duration, future).await.ok()
}

/// A task beside the members.
pub struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    /// Waits for its end; `None` if it was ended before.
    pub async fn done(self) -> Option<T> {
        self.0.await.ok()
    }
}

/// Starts a task; dropped, it goes on.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Task(spawn_plain(future))
}
