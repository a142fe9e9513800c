//! Streams of nodes: desired state down, status up, signs of life to the leader.

mod feed;
mod heartbeats;
mod lanes;
mod leader;
mod merge;
mod reports;
mod service;
mod signs;
mod stream;

pub use heartbeats::{Ack, LeaderMemory, Relay};
pub use leader::LeaderService;
pub use reports::Reports;
pub use service::{MastersService, NodeStreams};
pub use signs::Signs;

#[cfg(test)]
mod feed_tests;
