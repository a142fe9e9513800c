//! Durations in buckets, without locks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds: from an fsync on a fast disk to a quorum that is lost.
pub(crate) const BOUNDS: [u64; 15] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// Counts durations by size. Readers may see an observation in part; the next time they see it whole.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    nanos: AtomicU64,
}

/// A histogram as it is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How many durations are at most as long as each bound.
    pub(crate) within: [u64; BOUNDS.len()],
    /// All of them.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: Duration,
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(BOUNDS.partition_point(|bound| *bound < micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn observed(&self) -> Observed {
        let mut within = [0; BOUNDS.len()];
        let mut sum = 0;
        for (total, bucket) in within.iter_mut().zip(&self.buckets) {
            sum += bucket.load(Ordering::Relaxed);
            *total = sum;
        }
        let nanos = self.nanos.load(Ordering::Relaxed);
        // Never fewer than the buckets say, whatever is counted meanwhile.
        let count = self.count.load(Ordering::Relaxed).max(sum);
        Observed { within, count, sum: Duration::from_nanos(nanos) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_its_bucket_and_all_above() {
        let histogram = Histogram::default();
        for nanos in [0, 50_000, 50_001, 7_000_000, 60_000_000_000] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let observed = histogram.observed();
        assert_eq!(observed.within[..8], [2, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!((observed.within[14], observed.count), (4, 5));
        assert_eq!(observed.sum, Duration::from_nanos(60_007_100_001));
    }
}
