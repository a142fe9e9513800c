//! How long to wait before another try.

use std::time::Duration;

/// The longest wait between two runs of a crashing container.
pub const CRASH_MOST: Duration = Duration::from_secs(300);
/// A run of this length clears the record.
pub const CRASH_RESET: Duration = Duration::from_secs(600);
const PULL_FIRST: Duration = Duration::from_secs(10);
const PULL_MOST: Duration = Duration::from_secs(300);
const RETRY_MOST: Duration = Duration::from_secs(30);

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

/// The wait after the `streak`-th short run in a row: the first restart is at once, then 1, 2, 4 … 300 s.
pub fn crash_delay(streak: u32) -> Duration {
    match streak {
        0 | 1 => Duration::ZERO,
        more => doubled(Duration::from_secs(1), more - 2, CRASH_MOST),
    }
}

/// The wait after the n-th failure (from 1) to pull an image: 10, 20 … 300 s.
pub fn pull_delay(failures: u32) -> Duration {
    doubled(PULL_FIRST, failures.saturating_sub(1), PULL_MOST)
}

/// How long a failed pull is shown as such (`ErrImagePull`) before it is said that the next one waits (`ImagePullBackOff`).
/// The kubelet says so when it looks at the pod again: the first time at once, for the pod has only just begun, later after
/// its usual 10 s.
pub fn pull_error_shown(failures: u32) -> Duration {
    Duration::from_secs(if failures <= 1 { 1 } else { 10 })
}

/// The wait after the n-th failure (from 1) of anything else: 0.5, 1, 2 … 30 s.
pub(crate) fn retry_delay(failures: u32) -> Duration {
    doubled(Duration::from_millis(500), failures.saturating_sub(1), RETRY_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crash_waits_double_to_five_minutes() {
        let waits: Vec<u64> = (1..=12).map(|streak| crash_delay(streak).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(crash_delay(u32::MAX), CRASH_MOST);
    }

    #[test]
    fn pull_waits_double_to_five_minutes() {
        let waits: Vec<u64> = (1..=7).map(|failures| pull_delay(failures).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
    }
}
