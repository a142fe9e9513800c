//! CLOCK_BOOTTIME: it goes on while the machine sleeps, and no setting of the calendar moves it.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Since the machine was started. A clock that cannot be read is as if all time had passed.
pub(crate) fn boottime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
}

/// Sleeps until then, on CLOCK_BOOTTIME. May return early.
pub(crate) fn sleep_until(at: Duration) {
    let at = TimeSpec::from_duration(at);
    let flags = nix::time::ClockNanosleepFlags::TIMER_ABSTIME;
    let _ = nix::time::clock_nanosleep(ClockId::CLOCK_BOOTTIME, flags, &at);
}
