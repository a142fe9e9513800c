//! Time as the member that runs now measures it.

use super::context::{Context, current};
use super::executor::{Timer, here};
use pin_project_lite::pin_project;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// A moment on the member's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(tokio::time::Instant);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(match (here(), current()) {
            (None, _) => tokio::time::Instant::now(),
            (Some(_), Some(member)) => member.now(),
            (Some(simulation), None) => simulation.now(),
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Self::now().0.saturating_duration_since(self.0)
    }
}

/// For how long this machine was suspended since it booted: `CLOCK_BOOTTIME` less `CLOCK_MONOTONIC`, clock_gettime(2).
pub(crate) fn suspended() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    if let Some(member) = current() {
        return member.suspended();
    }
    // These clocks are always there on Linux; one that is not shows no suspension.
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    let monotonic = read(ClockId::CLOCK_MONOTONIC);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(monotonic)
}

/// The time since 1970 as this machine's clock shows it; a simulation begins at some moment.
pub(crate) fn wall() -> Duration {
    match here() {
        Some(simulation) => Duration::from_secs(1_750_000_000) + simulation.elapsed(),
        None => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default(),
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0 + rhs)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        self.0 += rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0 - rhs)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, rhs: Duration) {
        self.0 -= rhs;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.0 - rhs.0
    }
}

impl openraft::Instant for Instant {
    fn now() -> Self {
        Self::now()
    }

    fn elapsed(&self) -> Duration {
        Self::elapsed(self)
    }
}

pin_project! {
    /// Ends at a moment.
    #[project = Waiting]
    pub(crate) enum Sleep {
        Tokio {
            #[pin]
            inner: tokio::time::Sleep,
        },
        Simulated {
            timer: Timer,
            member: Option<Arc<Context>>,
            until: Instant,
        },
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        match self.project() {
            Waiting::Tokio { inner } => inner.poll(cx),
            Waiting::Simulated { timer, member: None, .. } => timer.poll(cx.waker()),
            Waiting::Simulated { timer, member: Some(member), until } => {
                // Its clock may have changed meanwhile.
                if member.now() >= until.0 {
                    return Poll::Ready(());
                }
                timer.reset(member.reached_at(until.0));
                timer.poll(cx.waker())
            }
        }
    }
}

/// Waits until a moment.
pub(crate) fn sleep_until(until: Instant) -> Sleep {
    let Some(simulation) = here() else {
        return Sleep::Tokio { inner: tokio::time::sleep_until(until.0) };
    };
    let member = current();
    let at = member.as_ref().map_or(until.0, |member| member.reached_at(until.0));
    Sleep::Simulated { timer: Timer::at(simulation, at), member, until }
}

/// Waits for so long.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now() + duration)
}

/// The time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time ran out")]
pub(crate) struct Elapsed;

pin_project! {
    /// A future with a limit.
    pub(crate) struct Timeout<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.inner.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        this.sleep.poll(cx).map(|()| Err(Elapsed))
    }
}

/// Gives a future at most so long.
pub(crate) fn timeout<F: Future>(duration: Duration, inner: F) -> Timeout<F> {
    Timeout { inner, sleep: sleep(duration) }
}

/// Gives a future until a moment.
pub(crate) fn timeout_at<F: Future>(deadline: Instant, inner: F) -> Timeout<F> {
    Timeout { inner, sleep: sleep_until(deadline) }
}

/// True time, in a simulation: what no member's clock changes.
pub(crate) mod truth {
    use super::{Instant, Sleep, Timeout, here};
    use crate::rt::executor::Timer;
    use std::future::Future;
    use std::time::Duration;

    pub(crate) fn now() -> Instant {
        Instant(here().map_or_else(tokio::time::Instant::now, |simulation| simulation.now()))
    }

    pub(crate) fn sleep_until(until: Instant) -> Sleep {
        match here() {
            None => Sleep::Tokio { inner: tokio::time::sleep_until(until.0) },
            Some(simulation) => Sleep::Simulated { timer: Timer::at(simulation, until.0), member: None, until },
        }
    }

    pub(crate) fn sleep(duration: Duration) -> Sleep {
        sleep_until(now() + duration)
    }

    pub(crate) fn timeout<F: Future>(duration: Duration, inner: F) -> Timeout<F> {
        Timeout { inner, sleep: sleep(duration) }
    }
}
