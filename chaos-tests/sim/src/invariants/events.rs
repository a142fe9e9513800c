//! What is recorded of a cluster while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Content of a key: every write has its own.
pub type Value = u64;

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, since the beginning.
    pub at: Duration,
    /// What.
    pub seen: Seen,
}

/// See [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A member says that it leads.
    Leading {
        /// Who.
        member: u64,
        /// In which term.
        term: u64,
    },
    /// A member's log holds an entry that is committed.
    Entry {
        /// Whose log.
        member: u64,
        /// Where.
        index: u64,
        /// Its term.
        term: u64,
        /// A digest of its content.
        digest: u64,
    },
    /// A change in a member's history.
    Change {
        /// Whose.
        member: u64,
        /// Its revision.
        revision: u64,
        /// The key.
        key: String,
        /// What the key holds since; `None`: nothing.
        value: Option<Value>,
    },
    /// All that a member showed at a revision.
    View {
        /// Who.
        member: u64,
        /// The view's revision.
        revision: u64,
        /// Keys and values.
        content: BTreeMap<String, Value>,
    },
    /// A watcher begins after a revision.
    Watching {
        /// Which.
        watcher: u64,
        /// Changes after this one are due.
        after: u64,
    },
    /// A watcher is told of a change.
    Watched {
        /// Which.
        watcher: u64,
        /// Through which member.
        member: u64,
        /// The change's revision.
        revision: u64,
        /// The key.
        key: String,
        /// What the key holds since; `None`: nothing.
        value: Option<Value>,
    },
    /// A client's operation, recorded when its answer came or was given up.
    Operation(Operation),
}

/// What a client did, and what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The client.
    pub client: u64,
    /// The member that it asked.
    pub member: u64,
    /// The key.
    pub key: String,
    /// When it asked.
    pub invoked: Duration,
    /// When it was answered; `None`: never, it may yet take effect.
    pub returned: Option<Duration>,
    /// What.
    pub action: Action,
}

/// See [`Operation`]. Operations of which it is certain that they did nothing are not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes, whatever is there.
    Put {
        /// What.
        value: Value,
        /// Which revision it took.
        revision: Known<u64>,
    },
    /// Writes, if the key holds what it is expected to hold.
    Swap {
        /// What is expected; `None`: nothing.
        expected: Option<Value>,
        /// What is written; `None`: the key is removed.
        value: Option<Value>,
        /// Which revision it took; `None`: the key held something else.
        revision: Known<Option<u64>>,
    },
    /// A linearizable read.
    Read {
        /// What was there.
        found: Option<Value>,
    },
}

/// Something that a client may never learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<T> {
    /// It was told.
    Yes(T),
    /// It was not.
    No,
}

impl<T: Copy> Known<T> {
    /// What is known.
    pub fn get(&self) -> Option<T> {
        match self {
            Self::Yes(known) => Some(*known),
            Self::No => None,
        }
    }
}

impl Operation {
    /// What it writes if it takes effect.
    pub fn writes(&self) -> Option<Value> {
        match self.action {
            Action::Put { value, .. } => Some(value),
            Action::Swap { value, .. } => value,
            Action::Read { .. } => None,
        }
    }

    /// The revision that it was acknowledged with.
    pub fn revision(&self) -> Option<u64> {
        match self.action {
            Action::Put { revision, .. } => revision.get(),
            Action::Swap { revision, .. } => revision.get().flatten(),
            Action::Read { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.3} ms  ", self.at.as_secs_f64() * 1e3)?;
        match &self.seen {
            Seen::Operation(operation) => write!(f, "{operation:?}"),
            Seen::View { member, revision, content } => {
                write!(f, "View {{ member: {member}, revision: {revision}, keys: {} }}", content.len())
            }
            other => write!(f, "{other:?}"),
        }
    }
}
