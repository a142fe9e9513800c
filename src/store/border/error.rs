//! What can go wrong with a read or a write, told apart by what the caller may assume.

use std::time::Duration;

/// An error of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written: no leader is known, or no quorum answers, after waiting.
    #[error("no leader: {0}")]
    NoLeader(String),
    /// A write whose outcome could not be learnt in time: it may or may not happen.
    #[error("the outcome of the write is unknown after {waited:?}: {reason}")]
    Unknown {
        /// How long was waited.
        waited: Duration,
        /// Why.
        reason: String,
    },
    /// This member does not reach the asked revision in time (504 `ResourceVersionTooLarge`).
    #[error("this master is at revision {current}, {asked} was asked for")]
    Behind {
        /// What was asked for.
        asked: u64,
        /// Where this member is.
        current: u64,
    },
    /// The queues are full: come back later (429).
    #[error("too many requests: {0}")]
    Overloaded(String),
    /// This member's storage failed: it serves no more until it is mended.
    #[error("storage failed: {0}")]
    Storage(String),
    /// What is stored here was written by members that can do more than this program.
    #[error(
        "this program is older (level {own}) than the cluster's level, {needed}: install the version that the other \
         masters run and start it again"
    )]
    TooOld {
        /// The cluster's level.
        needed: u32,
        /// This program's.
        own: u32,
    },
    /// This member was removed from the cluster: its id never comes back.
    #[error(
        "this master was removed from the cluster ({0}); to take part again it joins as a new one: remove its data \
         directory, then `raftsman serve --join` with a new token"
    )]
    Removed(String),
    /// This member is about to be removed from the cluster: nothing was written.
    #[error("this master is being removed from the cluster and takes no more writes: send it to another one")]
    Leaving,
    /// The member is shutting down.
    #[error("this master is shutting down")]
    Closed,
}
