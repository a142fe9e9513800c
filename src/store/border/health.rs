//! What a member knows about itself and the others.

/// Who leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The newest Raft term seen.
    pub term: u64,
    /// The leader's member id, if one is known.
    pub leader: Option<u64>,
    /// This member leads in this term, and an entry that this process proposed in it was applied here: the leader's
    /// duties may run, and compare this term in all they write. A restart within a term is a new leadership.
    pub leading: Option<u64>,
}

/// Whether this member can give linearizable answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// A read-index succeeded within the last 3 s, and this member votes if the membership lets it: with its disk lost it does
    /// not until it has caught up, and counts for less than it seems.
    pub ready: bool,
    /// Why not, for `/readyz` and people.
    pub reason: String,
}

/// One member as this one sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MemberStatus {
    /// Member id.
    pub id: u64,
    /// Host name.
    pub name: String,
    /// `host:port` of its peer service.
    pub address: String,
    /// It votes (otherwise it learns).
    pub voter: bool,
    /// The newest log index known to be on its disk; only the leader knows the others'.
    pub matched: Option<u64>,
    /// Milliseconds since it last answered the leader; only the leader knows.
    pub silent_ms: Option<u64>,
}

/// The store's own state, for `status` and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoreStatus {
    /// This member's id.
    pub member: u64,
    /// Newest term.
    pub term: u64,
    /// The leader, if known.
    pub leader: Option<u64>,
    /// Newest entry in this member's log.
    pub last_log: u64,
    /// Newest committed entry known here.
    pub committed: u64,
    /// Newest applied entry.
    pub applied: u64,
    /// Newest revision.
    pub revision: u64,
    /// The members.
    pub members: Vec<MemberStatus>,
}
