//! Random numbers of a simulation.

use crate::rt::splitmix;
use std::ops::Range;

/// A stream of random numbers that its seed determines.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    /// A stream of its own: what is drawn from it changes nothing here.
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// A number of the range; its start if the range is empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start).max(1);
        range.start + self.number() % width
    }

    /// True in so many of a million draws.
    pub fn millionths(&mut self, millionths: u64) -> bool {
        self.number() % 1_000_000 < millionths
    }

    /// True in so many of a hundred draws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.millionths(percent * 10_000)
    }

    /// One of these; `None` of nothing.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.range(0..from.len() as u64) as usize) }
    }
}
