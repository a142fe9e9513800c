//! Where a new epoch begins.

use crate::rt;
use std::time::Duration;

/// How far the revision moves where the clock does not say. No cluster writes so much between a backup and its restore (30,000
/// changes a second for a year).
const AHEAD: u64 = 1_000_000_000_000;

/// Beyond this the clock is not believed: revisions are below 2^53, and must be able to move on.
const MOST: u64 = (1 << 53) - 1000 * AHEAD;

/// The revision and the number of a new epoch.
///
/// Both are the time at which it begins, the revision in microseconds, the number in milliseconds. A cluster makes fewer than a
/// million changes a second, so that this is above all that any cluster out of the same data has given out before: the one that the
/// backup was made of, and also one that was restored from the same backup, or recovered from another member, in the meantime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) revision: u64,
    pub(super) epoch: u64,
}

impl Beginning {
    /// Of the epoch that begins now, after what some data ends with.
    pub(super) fn now(revision: u64, epoch: u64) -> Self {
        let beginning = Self::at(rt::wall(), revision, epoch);
        if beginning.revision == revision + AHEAD {
            tracing::warn!(
                "this host's clock is behind the data or far ahead: set it before this is done a second time"
            );
        }
        beginning
    }

    /// The same at a time since 1970. Where the clock is behind the data, that alone decides.
    fn at(time: Duration, revision: u64, epoch: u64) -> Self {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let believed = |least: u64| micros > least && micros < MOST;
        Self {
            revision: if believed(revision) { micros } else { revision + AHEAD },
            epoch: if believed(0) { (micros / 1000).max(epoch + 1) } else { epoch + 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn at(time: Duration, revision: u64, epoch: u64) -> (u64, u64) {
        let Beginning { revision, epoch } = Beginning::at(time, revision, epoch);
        (revision, epoch)
    }

    #[test]
    fn the_same_data_begins_later_each_time() {
        let first = at(NOW, 5_000, 0);
        assert_eq!(first, (1_800_000_000_000_000, 1_800_000_000_000));
        // The clusters that came of it have written meanwhile, as fast as any can.
        for (since, wrote) in [(2, 1_900_000), (3_600, 3_500_000_000), (30 * 86_400, 7)] {
            let later = NOW + Duration::from_secs(since);
            let again = at(later, 5_000, 0);
            assert!(again.0 > first.0 + wrote && again.1 > first.1, "{again:?}");
            // And so does data that was written in the first of them.
            let next = at(later, first.0 + wrote, first.1);
            assert!(next.0 > first.0 + wrote && next.1 > first.1, "{next:?}");
        }
    }

    #[test]
    fn without_a_clock_it_moves_far_ahead_of_the_data() {
        let behind = NOW - Duration::from_secs(60);
        let (revision, epoch) = at(NOW, 5_000, 0);
        assert_eq!(at(behind, revision, epoch), (revision + AHEAD, epoch + 1));
        assert_eq!(at(Duration::ZERO, 5_000, 7), (5_000 + AHEAD, 8));
        assert_eq!(at(Duration::MAX, 5_000, 7), (5_000 + AHEAD, 8));
    }
}
