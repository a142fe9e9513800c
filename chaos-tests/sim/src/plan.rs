//! What a seed chooses before a run.

use raftsman_store::sim::{Chance, Weather};
use std::time::Duration;

/// The shape of one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Members.
    pub size: u64,
    /// How long faults go on.
    pub stormy: Duration,
    /// Between two faults, at most.
    pub pause: Duration,
    /// Clients that work at the same time.
    pub clients: u64,
    /// Keys that they work on.
    pub keys: u64,
    /// Watchers.
    pub watchers: u64,
    /// See `StoreConfig::snapshot_every`.
    pub snapshot_every: u64,
    /// See `StoreConfig::snapshot_bytes`.
    pub snapshot_bytes: u64,
    /// See `StoreConfig::log_bytes`.
    pub log_bytes: u64,
    /// See `StoreConfig::snapshot_rate`.
    pub snapshot_rate: u64,
    /// Bytes of log entries in memory.
    pub log_cache: usize,
    /// Changes kept in a history.
    pub history: usize,
    /// Reads by the leader's lease: clocks keep to what that assumes then.
    pub leases: bool,
    /// See `StoreConfig::max_proposals`.
    pub max_proposals: usize,
    /// The profile for masters that are far apart.
    pub wan: bool,
    /// The usual weather.
    pub weather: Weather,
    /// Faults that may happen, each with a weight.
    pub weights: [u64; super::faults::KINDS],
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x5eed_0000_0000_0001);
        let mut one_of = |values: &[u64]| chance.pick(values).copied().unwrap_or(1);
        let size = one_of(&[1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 7]);
        let snapshot_every = one_of(&[16, 32, 64, 256, 20_000]);
        let history = one_of(&[100, 100_000, 100_000]) as usize;
        let log_cache = one_of(&[1_000, 1 << 20]) as usize;
        let wan = one_of(&[0, 0, 0, 0, 1]) == 1;
        let most = if wan { one_of(&[40, 100]) } else { one_of(&[1, 3, 10, 40]) };
        let weather = Weather {
            least: 0,
            most,
            loss: one_of(&[0, 0, 2_000, 20_000]),
            twice: one_of(&[0, 10_000, 100_000]),
            breaks: one_of(&[0, 1_000, 10_000]),
        };
        let leases = one_of(&[0, 1, 1, 1]) == 1;
        // A request that arrives twice is answered once: "full" would not mean that nothing was done.
        let max_proposals = if weather.twice == 0 { one_of(&[1, 3, 4_096]) } else { 4_096 } as usize;
        // Some runs know few kinds of faults, so that these meet one another often.
        let weights = std::array::from_fn(|_| one_of(&[0, 1, 1, 4]));
        let stormy = Duration::from_millis(chance.range(5_000..25_000));
        let pause = Duration::from_millis(chance.range(100..1_500));
        let (clients, keys, watchers) = (chance.range(2..7), chance.range(1..5), chance.range(1..4));
        let mut one_of = |values: &[u64]| chance.pick(values).copied().unwrap_or(1);
        // A file of the log takes 64 KiB: with so few bytes all of it goes that may.
        let snapshot_bytes = one_of(&[20_000, 200_000, 64 << 20, 64 << 20]);
        let log_bytes = snapshot_bytes * one_of(&[1, 4, 16]);
        let snapshot_rate = one_of(&[100_000, 1_000_000, 64 << 20, 64 << 20]);
        Self {
            size,
            stormy,
            pause,
            clients,
            keys,
            watchers,
            snapshot_every,
            snapshot_bytes,
            log_bytes,
            snapshot_rate,
            log_cache,
            history,
            leases,
            max_proposals,
            wan,
            weather,
            weights,
        }
    }
}
