//! openraft's settings.

use crate::config::{Profile, StoreConfig};
use openraft::{Config, SnapshotPolicy};
use std::time::Duration;

/// The intervals of a profile, in milliseconds where openraft wants them so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) heartbeat: u64,
    pub(crate) election: (u64, u64),
    /// One attempt to reach a peer.
    pub(crate) connect: Duration,
    /// A silent connection is probed after this, and given up after as much again.
    pub(crate) keepalive: Duration,
    /// One request to the leader for a read index.
    pub(crate) read: Duration,
}

impl Timing {
    /// Within this a member that lives has answered a heartbeat.
    pub(crate) fn round(self) -> Duration {
        Duration::from_millis(self.heartbeat * 5)
    }

    /// A member that has not answered the leader's heartbeats for so long does not answer.
    pub(crate) fn silence(self) -> Duration {
        Duration::from_millis(self.election.1 * 6)
    }

    /// For so long after a sign of its leader a member neither votes nor stands for election; openraft's `leader_lease`.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.election.1)
    }

    pub(crate) fn of(profile: Profile) -> Self {
        match profile {
            Profile::Lan => Self {
                heartbeat: 30,
                election: (80, 160),
                connect: Duration::from_millis(250),
                keepalive: Duration::from_millis(500),
                read: Duration::from_millis(500),
            },
            Profile::Wan => Self {
                heartbeat: 150,
                election: (600, 1200),
                connect: Duration::from_millis(1500),
                keepalive: Duration::from_millis(2000),
                read: Duration::from_millis(2000),
            },
        }
    }
}

/// The settings of a member, or what openraft finds wrong with them.
pub(crate) fn raft_config(config: &StoreConfig) -> Result<Config, openraft::ConfigError> {
    let timing = Timing::of(config.profile);
    Config {
        cluster_name: config.cluster_id.clone(),
        heartbeat_interval: timing.heartbeat,
        election_timeout_min: timing.election.0,
        election_timeout_max: timing.election.1,
        // Two election timeouts is the least that openraft takes.
        quorum_loss_probe_interval: Some(timing.election.1 * 2),
        enable_pre_vote: Some(true),
        // A restarted leader stands for election again: its old leadership ended with its process.
        enable_leader_restore: Some(false),
        // A member that lost its disk comes back under its id; how that stays safe: see `member::bootstrap`.
        allow_log_reversion: Some(true),
        max_payload_entries: 512,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_every),
        // Never by itself: it knows neither bytes nor what a snapshot on its way needs; see `member::compact_log`.
        max_in_snapshot_log_to_keep: u64::MAX,
        replication_lag_threshold: config.snapshot_every * 4,
        purge_batch_size: (config.snapshot_every / 16).max(1),
        backoff: "20ms 40ms ...80ms".into(),
        ..Config::default()
    }
    .validate()
}
