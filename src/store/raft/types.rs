//! openraft's types as this store fills them in.

use bytes::Bytes;
use raftsman_state::Outcome;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A member as the membership names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Host name; a name in its certificate.
    pub name: String,
    /// `host:port` of its peer service.
    pub address: String,
}

impl From<&crate::config::MemberAddress> for Member {
    fn from(member: &crate::config::MemberAddress) -> Self {
        Self { name: member.name.clone(), address: member.address.to_string() }
    }
}

/// An encoded [`raftsman_state::Txn`]. It is encoded once by who proposes it; log and transport copy bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command(pub Bytes);

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "txn of {} bytes", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

openraft::declare_raft_types!(
    /// This store's choice of types: standard Raft, one leader per term.
    pub(crate) TypeConfig:
        D = Command,
        R = Option<Outcome>,
        NodeId = u64,
        Node = Member,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = super::StoreRuntime,
);

pub(crate) use openraft::type_config::alias as of;

pub(crate) type Entry = of::EntryOf<TypeConfig>;
pub(crate) type LogId = of::LogIdOf<TypeConfig>;
pub(crate) type Vote = of::VoteOf<TypeConfig>;
pub(crate) type Membership = of::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = of::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot = of::SnapshotOf<TypeConfig, crate::disk::SnapshotDir>;
pub(crate) type Raft = openraft::Raft<TypeConfig, super::StateMachine>;

/// The term of a log id.
pub(crate) fn term_of(log_id: &LogId) -> u64 {
    log_id.committed_leader_id().term
}
