//! The members of the store and how they are changed.

use serde::{Deserialize, Serialize};

/// Most voters: more cost every write and survive little more.
pub const MOST_VOTERS: usize = 7;

/// Who belongs to the store, as this member has last heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// All of them, by id.
    pub all: Vec<MemberAt>,
}

impl Members {
    /// One of them.
    pub fn get(&self, id: u64) -> Option<&MemberAt> {
        self.all.iter().find(|member| member.id == id)
    }
}

/// A member and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAt {
    /// Member id.
    pub id: u64,
    /// Host name, which its certificate carries.
    pub name: String,
    /// `host:port` of its peer service.
    pub address: String,
    /// It votes (otherwise it learns).
    pub voter: bool,
}

/// A change of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Change {
    /// A new member, which learns first; it gets an id that no member ever had.
    Add {
        /// Host name.
        name: String,
        /// `host:port` of its peer service.
        address: String,
        /// It is to vote as soon as it has caught up.
        voter: bool,
        /// The member that goes when this one votes.
        #[serde(default)]
        replaces: Option<u64>,
        /// Tells a repeated request from another host that takes the same name: a hash of its public key.
        #[serde(default)]
        key: String,
    },
    /// A learner votes from now on.
    Promote {
        /// Who.
        member: u64,
        /// Also when it lags: until it has caught up, the cluster survives less.
        #[serde(default)]
        force: bool,
    },
    /// A voter only learns from now on.
    Demote {
        /// Who.
        member: u64,
    },
    /// It belongs to the cluster no more, for ever.
    Remove {
        /// Who.
        member: u64,
    },
    /// A learner takes the place of another member, in one step.
    Replace {
        /// Who goes.
        member: u64,
        /// Who comes.
        with: u64,
    },
    /// It has another name or address.
    Update {
        /// Who.
        member: u64,
        /// Its host name from now on.
        #[serde(default)]
        name: Option<String>,
        /// `host:port` of its peer service from now on.
        #[serde(default)]
        address: Option<String>,
        /// Also when it does not answer there yet.
        #[serde(default)]
        force: bool,
    },
    /// Another member leads.
    Transfer {
        /// Who; the one that is nearest when absent.
        #[serde(default)]
        to: Option<u64>,
    },
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The member that it was about; the leader for [`Change::Transfer`].
    pub member: u64,
    /// Nothing had to be done.
    pub already: bool,
    /// What a person should think of now; empty: nothing.
    pub advice: String,
}

/// Why the members were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ChangeError {
    /// Another member leads: ask it. What had to come before the change may have been done.
    #[error("this member does not lead")]
    NotLeader {
        /// Who leads, if that is known.
        leader: Option<u64>,
    },
    /// It must not be; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Not now; asking again may help.
    #[error("{0}")]
    NotYet(String),
    /// There is no such member.
    #[error("{0}")]
    Unknown(String),
    /// It was begun, and what became of it is not known; the next leader finishes what has reached its log.
    #[error("it is not known whether the members were changed: {0}")]
    Lost(String),
}
