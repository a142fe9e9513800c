//! Numbers for this process's proposals, so that a repeated one is recognised.

use parking_lot::Mutex;
use raftsman_state::Origin;
use std::collections::BTreeSet;

/// Hands out [`Origin`]s.
pub(crate) struct Origins {
    member: u64,
    session: u64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    sequences: BTreeSet<u64>,
}

/// An origin in use; dropped when its outcome is known or no longer asked for.
pub(crate) struct Ticket<'a> {
    origins: &'a Origins,
    pub(crate) origin: Origin,
}

impl Origins {
    /// `session` is above that of every earlier process of this member: the index of a log entry that this one proposed.
    pub(crate) fn new(member: u64, session: u64) -> Self {
        Self { member, session, open: Mutex::default() }
    }

    pub(crate) fn begin(&self) -> Ticket<'_> {
        let mut open = self.open.lock();
        let sequence = open.next;
        open.next += 1;
        open.sequences.insert(sequence);
        let low_water = open.sequences.first().copied().unwrap_or(sequence);
        let origin = Origin { member: self.member, session: self.session, sequence, low_water };
        Ticket { origins: self, origin }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.origins.open.lock().sequences.remove(&self.origin.sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_water_mark_stays_below_what_is_open() {
        let origins = Origins::new(1, 7);
        let first = origins.begin();
        let second = origins.begin();
        assert_eq!((first.origin.sequence, first.origin.low_water), (0, 0));
        assert_eq!((second.origin.sequence, second.origin.low_water), (1, 0));
        drop(first);
        let third = origins.begin();
        assert_eq!((third.origin.sequence, third.origin.low_water), (2, 1));
        drop((second, third));
        assert_eq!(origins.begin().origin.low_water, 3);
    }
}
