//! How long to wait before another pod is tried: 10 s, 20 s, 40 s … to 10 minutes after failures in a row.

use super::{Tally, Work};
use jiff::Timestamp;
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(600);

/// What is left of the wait after so many failures, the last one at `last`.
pub(super) fn left(failures: u32, last: Timestamp, now: Timestamp) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    let wait = FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(MOST);
    let passed = Duration::try_from(now.duration_since(last)).unwrap_or(Duration::ZERO);
    wait.saturating_sub(passed)
}

/// What is left of the job's wait: by failures since its last success, as its pods tell them.
pub(super) fn job(work: &Work<'_>, tally: &Tally) -> Duration {
    let ended = |well: bool| {
        let fits = move |member: &&super::Member| if well { member.has_succeeded() } else { member.has_failed(work) };
        tally.members.iter().filter(fits).filter_map(|member| member.ended_at())
    };
    let success = ended(true).max();
    let failures = ended(false).filter(|at| success.is_none_or(|success| *at > success));
    let (count, last) = failures.fold((0_u32, None), |(count, last), at| (count.saturating_add(1), last.max(Some(at))));
    last.map_or(Duration::ZERO, |last| left(count, last, work.now.time))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn doubles_to_ten_minutes() {
        let last: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let waits: Vec<u64> = (0..9).map(|failures| left(failures, last, last).as_secs()).collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(left(2, last, last + Duration::from_secs(15)), Duration::from_secs(5));
        assert_eq!(left(u32::MAX, last, last), MOST);
    }
}
