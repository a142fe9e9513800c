//! The narrow doors through which the runner touches the world.

use crate::{Action, Failure};
use async_trait::async_trait;
use jiff::Timestamp;
use raftsman_state::View;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Why an action was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// A revision, a uid or a reservation had moved on: plan again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The name is taken: plan again.
    #[error("already exists: {0}")]
    AlreadyExists(String),
    /// What was to be changed is gone: there is nothing left to do.
    #[error("not found: {0}")]
    NotFound(String),
    /// The API refused it (validation, admission, quota).
    #[error("{0}")]
    Refused(String),
    /// It could not be tried or its outcome is unknown (no longer leader, no quorum).
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl ExecuteError {
    /// What a later plan may tell the user; lost races are nobody's concern.
    pub fn failure(&self, action: &Action) -> Option<Failure> {
        match self {
            Self::Refused(message) => Some(Failure { verb: action.verb(), message: message.clone() }),
            _ => None,
        }
    }
}

/// Carries out actions through the API's write path, fenced by the leader's term.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Carries out one action as the controller's own identity and returns once the write can be seen in
    /// [`Views::view`].
    ///
    /// # Errors
    /// See [`ExecuteError`].
    async fn execute(&self, controller: &str, action: &Action) -> Result<(), ExecuteError>;
}

/// Where Views come from.
pub trait Views: Send + Sync + 'static {
    /// The newest View.
    fn view(&self) -> View;

    /// Announces revisions of new Views.
    fn revisions(&self) -> watch::Receiver<u64>;
}

/// Time and randomness for the runner.
pub trait Clock: Send + Sync + 'static {
    /// The calendar's time.
    fn time(&self) -> Timestamp;

    /// Time since this leadership began; never jumps. The same clock as the heartbeats'.
    fn mono(&self) -> Duration;

    /// Fresh random bits.
    fn seed(&self) -> u64;
}

/// The machine's clock, counting from when it was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock at zero. One per leadership.
    #[allow(clippy::new_without_default, reason = "it reads the time: two of them are never equal")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn time(&self) -> Timestamp {
        Timestamp::now()
    }

    fn mono(&self) -> Duration {
        self.origin.elapsed()
    }

    fn seed(&self) -> u64 {
        rand::random()
    }
}
