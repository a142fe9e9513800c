//! Talking to the masters: one of them at a time, moving on when it is down.

mod cluster;
mod error;
mod learn;
mod lines;
mod masters;
mod repeat;
mod unanswered;

pub use cluster::{Cluster, TABLE};
pub use error::{ConnectError, Failure, exit_text};
pub use lines::Lines;
pub use masters::{Masters, ServedBy};
pub use unanswered::Unanswered;

#[cfg(test)]
mod failover_tests;
#[cfg(test)]
pub(crate) mod fake;
