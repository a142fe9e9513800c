//! How a member is set up.

use crate::register::Register;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of one member.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Identifies the cluster; members of another one are refused. The same on every member, for ever.
    pub cluster_id: String,
    /// This member's id: unique in the cluster, not 0.
    pub member: u64,
    /// All masters that form the cluster at its first start, this one included; the same list on every member. Later
    /// the membership in the log counts, and this list only says whom to ask.
    pub members: Vec<MemberAddress>,
    /// This member joined a cluster that existed: with an empty disk it never forms one.
    pub joined: bool,
    /// Where log and state are kept; created if absent. One member's alone.
    pub data_dir: PathBuf,
    /// Outside of it, and as durable as this host's keys: whom the cluster consists of, so that this member with an empty disk
    /// finds them and forms no second one. `None`: it is not kept.
    pub register: Option<Register>,
    /// Intervals for the network between the masters.
    pub profile: Profile,
    /// This host's certificates.
    pub tls: PeerTls,
    /// A snapshot after so many log entries; half as many are kept below it for members that lag a little.
    pub snapshot_every: u64,
    /// A snapshot after so many bytes of log, if that comes first.
    pub snapshot_bytes: u64,
    /// Most bytes of log. Up to this a leader keeps what any member lacks, also while it is sent a snapshot or does not
    /// answer; beyond it the oldest entries go all the same, and who lacks them gets a snapshot.
    pub log_bytes: u64,
    /// Bytes a second at which a snapshot is sent to one member at most, so that entries and heartbeats go on beside it.
    pub snapshot_rate: u64,
    /// Bytes of recent log entries in memory.
    pub log_cache_bytes: usize,
    /// Proposals of this member that may wait for their outcome, and as leader as many of others; more are refused as
    /// overload.
    pub max_proposals: usize,
    /// Bytes that they may have together.
    pub max_proposal_bytes: usize,
    /// Linearizable reads without a round to the other masters while the leader's lease lasts. Off where a virtual machine
    /// may be stopped and go on later without its clocks showing it.
    pub lease_reads: bool,
    /// What each thread that carries votes and heartbeats or fsyncs the log does first, and nothing that works long: it puts
    /// itself before ordinary threads. By niceness, unless the program has a better way.
    pub urgent: fn(),
    /// What this program can do ([`raftsman_state::level`]).
    pub level: u32,
    /// Changes kept in the history of a resource.
    pub history: HistoryLimits,
}

impl StoreConfig {
    /// Usual values for everything that does not name this cluster or host.
    pub fn new(
        cluster_id: impl Into<String>,
        member: u64,
        members: Vec<MemberAddress>,
        data_dir: impl Into<PathBuf>,
        tls: PeerTls,
    ) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            member,
            members,
            joined: false,
            data_dir: data_dir.into(),
            register: None,
            profile: Profile::Lan,
            tls,
            snapshot_every: 20_000,
            snapshot_bytes: 64 << 20,
            log_bytes: 1 << 30,
            snapshot_rate: 64 << 20,
            log_cache_bytes: 64 << 20,
            max_proposals: 4096,
            max_proposal_bytes: 64 << 20,
            lease_reads: true,
            urgent: crate::member::raise_priority,
            level: raftsman_state::level::LEVEL,
            history: HistoryLimits::default(),
        }
    }

    /// What is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = |what: String| Err(format!("settings of the store: {what}"));
        if self.member == 0 {
            return wrong("member id 0 is not allowed".into());
        }
        if !self.members.iter().any(|member| member.id == self.member) {
            return wrong(format!("member {} is not in its own list of members", self.member));
        }
        let ids: BTreeSet<u64> = self.members.iter().map(|member| member.id).collect();
        if ids.len() != self.members.len() || ids.contains(&0) {
            return wrong("member ids must be unique and not 0".into());
        }
        if self.snapshot_every < 16 {
            return wrong(format!("snapshot_every {} is below 16", self.snapshot_every));
        }
        if self.snapshot_bytes == 0 || self.log_bytes < self.snapshot_bytes {
            return wrong(format!("log_bytes {} is below snapshot_bytes {}", self.log_bytes, self.snapshot_bytes));
        }
        Ok(())
    }
}

/// A master as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAddress {
    /// Member id.
    pub id: u64,
    /// Host name, which its certificate carries.
    pub name: String,
    /// Its peer service.
    pub address: SocketAddr,
}

/// Intervals for heartbeats, elections and timeouts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// One data centre: heartbeat 30 ms, election 80–160 ms.
    #[default]
    Lan,
    /// Round trips of up to 100 ms: heartbeat 150 ms, election 600–1200 ms.
    Wan,
}

/// PEM texts for mutual TLS between masters.
#[derive(Clone)]
pub struct PeerTls {
    /// The cluster's certificate authority.
    pub ca: String,
    /// This host's certificate, with the host's name as a subject alternative name.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerTls")
    }
}

/// How much a resource's history keeps before the leader moves its floor up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Of every resource but Events.
    pub changes: usize,
    /// Bytes of every resource but Events.
    pub bytes: u64,
    /// Of Events, which must never push out others.
    pub events: usize,
    /// Bytes of Events.
    pub event_bytes: u64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { changes: 20_000, bytes: 64 << 20, events: 5_000, event_bytes: 8 << 20 }
    }
}
