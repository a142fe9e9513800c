//! What the simulated network does to messages.

use crate::sim::Chance;
use std::collections::BTreeSet;
use std::time::Duration;

/// The state of the whole network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weather {
    /// A message takes from so many milliseconds …
    pub least: u64,
    /// … to below so many.
    pub most: u64,
    /// So many of a million messages are lost (a message of a stream: sent again later).
    pub loss: u64,
    /// So many of a million requests arrive twice.
    pub twice: u64,
    /// So many of a million messages of a stream break its connection.
    pub breaks: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { least: 0, most: 2, loss: 0, twice: 0, breaks: 0 }
    }
}

/// Which ways are cut, and the weather on all others.
#[derive(Default)]
pub(crate) struct Links {
    pub(crate) cut: BTreeSet<(u64, u64)>,
    pub(crate) weather: Weather,
}

impl Links {
    pub(crate) fn open(&self, from: u64, to: u64) -> bool {
        !self.cut.contains(&(from, to))
    }

    pub(crate) fn delay(&self, chance: &mut Chance) -> Duration {
        Duration::from_millis(chance.range(self.weather.least..self.weather.most))
    }
}
