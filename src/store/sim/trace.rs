//! A digest of everything that happened, so that two runs can be compared.

use crate::rt::{Instant, truth};
use std::collections::VecDeque;
use std::time::Duration;

/// Happenings that are kept to be shown.
const LAST: usize = 60;

/// One happening: when, what, with which numbers.
type Happening = (Duration, String, Vec<u64>);

/// FNV-1a over events and their times.
pub(crate) struct Trace {
    began: Instant,
    digest: u64,
    pub(crate) events: u64,
    last: VecDeque<Happening>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { began: truth::now(), digest: 0xcbf2_9ce4_8422_2325, events: 0, last: VecDeque::new() }
    }

    pub(crate) fn note(&mut self, what: &str, numbers: &[u64]) {
        let at = truth::now() - self.began;
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back((at, what.to_owned(), numbers.to_vec()));
        let now = at.as_nanos();
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        for byte in what.bytes().chain(now.to_le_bytes()).chain(numbers) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.events += 1;
    }

    /// The newest happenings, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        let tell = |(at, what, numbers): &Happening| format!("{:>12.3} ms  {what} {numbers:?}", at.as_secs_f64() * 1e3);
        self.last.iter().map(tell).collect()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}
