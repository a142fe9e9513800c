//! Waiting for tasks.

use super::executor::Executor;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;

/// A task that was started; dropped, it goes on.
pub(crate) enum JoinHandle<T> {
    Tokio(tokio::task::JoinHandle<T>),
    Simulated(Abort, oneshot::Receiver<T>),
}

impl<T> JoinHandle<T> {
    /// What ends the task, in a simulation.
    pub(crate) fn abort_handle(&self) -> Option<Abort> {
        match self {
            Self::Tokio(_) => None,
            Self::Simulated(abort, _) => Some(abort.clone()),
        }
    }
}

/// What ends a simulated task.
#[derive(Clone)]
pub(crate) struct Abort {
    executor: Arc<Executor>,
    id: u64,
}

impl Abort {
    pub(crate) fn abort(&self) {
        self.executor.abort(self.id);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.executor.finished(self.id)
    }
}

/// A task ended without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Tokio(#[from] tokio::task::JoinError),
    #[error("the member of this task is no more")]
    Ended,
}

impl JoinError {
    pub(crate) fn is_panic(&self) -> bool {
        matches!(self, Self::Tokio(error) if error.is_panic())
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Tokio(handle) => Poll::Ready(ready!(Pin::new(handle).poll(cx)).map_err(JoinError::Tokio)),
            Self::Simulated(_, result) => Poll::Ready(ready!(Pin::new(result).poll(cx)).map_err(|_| JoinError::Ended)),
        }
    }
}

/// Starts a task of a simulation.
pub(crate) fn start<F>(executor: &Arc<Executor>, future: F) -> (Abort, JoinHandle<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (done, result) = oneshot::channel();
    let id = executor.spawn(Box::pin(async move {
        let _ = done.send(future.await);
    }));
    let abort = Abort { executor: executor.clone(), id };
    (abort.clone(), JoinHandle::Simulated(abort, result))
}
