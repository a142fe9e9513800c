//! What a load measured.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Figures of one load on one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Measured {
    /// Operations that succeeded within the measured time.
    pub(crate) operations: u64,
    /// Operations that failed.
    pub(crate) failures: u64,
    /// Operations per second.
    pub(crate) per_second: f64,
    /// Median latency in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// 99.9th percentile.
    pub(crate) p999_ms: f64,
    /// CPU time of all members per operation, in microseconds.
    pub(crate) members_cpu_us: f64,
    /// CPU time of the client per operation, in microseconds.
    pub(crate) client_cpu_us: f64,
    /// The same of the members by thread name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) threads_cpu_us: BTreeMap<String, f64>,
}

impl Measured {
    /// From latencies (microseconds) and the time over which they were taken.
    pub(crate) fn of(mut latencies: Vec<u32>, failures: u64, took: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| f64::from(percentile(&latencies, share)) / 1000.0;
        Self {
            operations: latencies.len() as u64,
            failures,
            per_second: latencies.len() as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            ..Self::default()
        }
    }

    /// CPU time divided by operations.
    pub(crate) fn per_operation(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / (self.operations.max(1) as f64)
    }
}

/// The smallest value that so large a share of all does not exceed (nearest rank).
fn percentile(sorted: &[u32], share: f64) -> u32 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sorted: Vec<u32> = (1..=1000).collect();
        for (share, expected) in [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000), (0.0, 1)] {
            assert_eq!(percentile(&sorted, share), expected, "{share}");
        }
        assert_eq!((percentile(&[7], 0.5), percentile(&[7], 0.999), percentile(&[], 0.5)), (7, 7, 0));
    }

    #[test]
    fn rates_and_latencies_come_from_the_same_operations() {
        let measured = Measured::of(vec![3000, 1000, 2000, 4000], 1, Duration::from_secs(2));
        assert_eq!((measured.operations, measured.failures, measured.per_second), (4, 1, 2.0));
        assert_eq!((measured.p50_ms, measured.p99_ms), (2.0, 4.0));
        assert_eq!(measured.per_operation(Duration::from_micros(400)), 100.0);
    }
}
