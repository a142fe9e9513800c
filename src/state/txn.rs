//! The unit of Raft: compares, then puts and deletes, all or nothing.

use crate::{Body, Key, Meta, Resource};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A condition on the state that a [`Txn`] finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// The key holds nothing.
    Absent(Key),
    /// The key's object is at this revision.
    Revision(Key, u64),
    /// The key's object has this uid.
    Uid(Key, #[serde(deserialize_with = "crate::shared_str::deserialize")] Arc<str>),
    /// The key holds an object that is not being deleted.
    NotDeleting(Key),
    /// The log entry was proposed under this Raft term: what the leader's duties write.
    Term(u64),
}

/// A change to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Create or replace.
    Put {
        /// Where.
        key: Key,
        /// What was extracted from the body.
        meta: Arc<Meta>,
        /// The JSON.
        body: Body,
    },
    /// Remove. An absent key is no change and takes no revision.
    Delete {
        /// What.
        key: Key,
    },
    /// Forget the history of a resource up to and including a revision; takes no revision.
    Compact {
        /// Whose history.
        resource: Resource,
        /// The new floor; a lower one than the present changes nothing.
        floor: u64,
    },
    /// Move the revision far ahead and set every floor there (restore and forced recovery); begins an epoch.
    BeginEpoch {
        /// The revision to go on from; ignored unless above the present.
        revision: u64,
        /// Its number; the one after the present if that is higher.
        epoch: u64,
    },
}

/// Where a forwarded [`Txn`] came from, so that a repeated one gets its first outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The member that took the request.
    pub member: u64,
    /// That process's life: a larger one replaces what a smaller one left.
    pub session: u64,
    /// Counts the session's requests.
    pub sequence: u64,
    /// All sequences below this were answered; their outcomes are dropped.
    pub low_water: u64,
}

/// Compares and operations that are applied together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// All must hold.
    pub compares: Vec<Compare>,
    /// Applied in order; a later one sees the earlier.
    pub ops: Vec<Op>,
    /// Set by the store for forwarding.
    pub origin: Option<Origin>,
}

/// What became of a [`Txn`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All operations were applied. One entry per operation: the revision that it took, 0 if it changed nothing.
    Committed(Vec<u64>),
    /// A compare did not hold; nothing was changed.
    Failed {
        /// Index of the first compare that did not hold.
        compare: usize,
        /// The revision of the key's object, 0 if it holds none (or the compare names no key).
        found: u64,
    },
    /// The origin's sequence is below its low-water mark or from an ended session: it was answered long ago.
    Expired,
}
