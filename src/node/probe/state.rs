//! What results in a row mean (core/v1 `Probe`). Pure.

use k8s_openapi::api::core::v1::Probe;
use std::time::Duration;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// Holds the others back until it succeeds once.
    Startup,
    /// Fails: the container is restarted.
    Liveness,
    /// Fails: the pod gets no traffic.
    Readiness,
}

impl ProbeKind {
    /// As Events write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Success,
    /// Not well; what was seen.
    Failure(String),
}

/// What the results up to now say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Enough successes in a row.
    Good,
    /// Enough failures in a row.
    Bad,
}

/// A probe's numbers, defaults filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Before the first one.
    pub delay: Duration,
    /// From one to the next.
    pub period: Duration,
    /// One of them at most.
    pub timeout: Duration,
    /// So many in a row are good.
    pub successes: u32,
    /// So many in a row are bad.
    pub failures: u32,
}

impl Parameters {
    /// Those of this probe.
    pub fn of(probe: &Probe) -> Self {
        let number = |value: Option<i32>, default: u32| {
            value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(default)
        };
        let seconds = |value, default| Duration::from_secs(u64::from(number(value, default)));
        Self {
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: number(probe.success_threshold, 1),
            failures: number(probe.failure_threshold, 3),
        }
    }
}

/// Counts results in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    good: u32,
    bad: u32,
}

impl Tally {
    /// One more result; a verdict once the threshold is reached, and at every result after.
    pub fn add(&mut self, outcome: &Outcome, parameters: &Parameters) -> Option<Verdict> {
        match outcome {
            Outcome::Success => {
                self.bad = 0;
                self.good = self.good.saturating_add(1);
                (self.good >= parameters.successes).then_some(Verdict::Good)
            }
            Outcome::Failure(_) => {
                self.good = 0;
                self.bad = self.bad.saturating_add(1);
                (self.bad >= parameters.failures).then_some(Verdict::Bad)
            }
        }
    }
}
