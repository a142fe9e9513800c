//! What is kept of a run beside its page, for a table of many: verdicts, recovery times, counts.

use super::model::Model;
use crate::record::{Span, Stream};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The name of its file.
pub const FILE: &str = "record.json";

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// What the schedule was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How long things happened.
    pub minutes: f64,
    /// The one command that does the same again.
    pub again: String,
    /// Each invariant.
    pub verdicts: Vec<KeptVerdict>,
    /// Each kind of recovery.
    pub recoveries: Vec<KeptTimes>,
    /// Each kind of request.
    pub requests: Vec<KeptRequests>,
    /// Faults that were done.
    pub faults: usize,
    /// Those that killed a leader.
    pub leader_kills: usize,
    /// Those that hit a leader in whatever way.
    pub leader_hits: usize,
    /// Those that took a node away with everything on it, or off the network.
    pub node_losses: usize,
}

/// One invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVerdict {
    /// Which.
    pub name: String,
    /// It holds.
    pub holds: bool,
    /// What it rests on, or what broke it.
    pub basis: String,
}

/// One kind of recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTimes {
    /// From what to what.
    pub what: String,
    /// How long each took, in microseconds.
    pub micros: Vec<u64>,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRequests {
    /// Which.
    pub stream: String,
    /// All.
    pub all: usize,
    /// Failed, with a fault that excuses it.
    pub excused: usize,
    /// Failed without one.
    pub failed: usize,
}

fn micros(time: &Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Run {
    /// Of a run that was judged.
    pub fn of(model: &Model<'_>) -> Self {
        let verdict = |one: &crate::verdicts::Judged| {
            let (Ok(basis) | Err(basis)) = &one.outcome;
            KeptVerdict { name: one.name.clone(), holds: one.outcome.is_ok(), basis: basis.clone() }
        };
        let times = |one: &super::Recovery| KeptTimes {
            what: one.what.clone(),
            micros: one.times.iter().map(micros).collect(),
        };
        let requests = |stream: Stream| {
            let (all, excused, failed) = model.counts(stream);
            KeptRequests { stream: stream.name().to_owned(), all, excused, failed }
        };
        let done = || model.record.spans.iter().filter(|span| span.skipped.is_none() && span.error.is_none());
        let count = |counts: fn(&&Span) -> bool| done().filter(counts).count();
        let lost = |span: &&Span| {
            let whole = ["host-loss", "unplug", "power-cut"].contains(&span.kind.as_str());
            whole && span.hit.iter().any(|host| host.starts_with('n'))
        };
        Self {
            scenario: model.schedule.scenario.clone(),
            seed: model.schedule.seed,
            minutes: model.schedule.seconds as f64 / 60.0,
            again: model.again.clone(),
            verdicts: model.judged.iter().map(verdict).collect(),
            recoveries: model.recoveries.iter().map(times).collect(),
            requests: Stream::ALL.into_iter().map(requests).collect(),
            faults: done().count(),
            leader_kills: count(|span| span.leader && span.kind == "kill"),
            leader_hits: count(|span| span.leader),
            node_losses: count(lost),
        }
    }

    /// Everything holds.
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|one| one.holds)
    }
}
