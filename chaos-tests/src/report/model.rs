//! A run, second by second.

use super::recovery::{Recovery, recoveries};
use crate::record::{Record, Stream};
use crate::schedule::Schedule;
use crate::verdicts::{Excuses, Judged, Reign, reigns};
use std::collections::BTreeMap;
use std::time::Duration;

/// What became of the requests that began in one second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// Answered well.
    pub good: usize,
    /// Failed, with a fault that excuses it.
    pub excused: usize,
    /// Failed without one.
    pub failed: usize,
    /// How long the good ones took, in order.
    pub took: Vec<Duration>,
}

impl Second {
    /// The time below which so many of a hundred were.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        self.took.get(((self.took.len() * percent).div_ceil(100)).max(1) - 1).copied()
    }
}

/// Everything that is drawn.
pub struct Model<'a> {
    /// The run.
    pub record: &'a Record,
    /// What was to be done.
    pub schedule: &'a Schedule,
    /// Verdicts.
    pub judged: &'a [Judged],
    /// The command that repeats it.
    pub again: String,
    /// How long it took.
    pub end: Duration,
    /// Requests by second.
    pub seconds: BTreeMap<Stream, Vec<Second>>,
    /// Leadership.
    pub reigns: Vec<Reign>,
    /// Recovery times.
    pub recoveries: Vec<Recovery>,
    /// The longest time without a good answer, by stream and host.
    pub gaps: BTreeMap<(Stream, String), Duration>,
}

impl<'a> Model<'a> {
    /// Of a run.
    pub fn new(record: &'a Record, schedule: &'a Schedule, judged: &'a [Judged], again: String) -> Self {
        let last_request = record.requests.iter().map(crate::record::Request::ended).max().unwrap_or_default();
        let service = record.service.iter().filter_map(|one| one.after).max().unwrap_or_default();
        let end = last_request.max(record.healed.unwrap_or_default() + service);
        Self {
            record,
            schedule,
            judged,
            again,
            end,
            seconds: seconds(record, end),
            reigns: reigns(record, end),
            recoveries: recoveries(record),
            gaps: gaps(record),
        }
    }

    /// Everything holds.
    pub fn passed(&self) -> bool {
        self.judged.iter().all(|one| one.outcome.is_ok())
    }

    /// Requests of a stream: all, excused failures, failures without an excuse.
    pub fn counts(&self, stream: Stream) -> (usize, usize, usize) {
        let all = self.seconds.get(&stream).into_iter().flatten();
        all.fold((0, 0, 0), |sum, one| {
            (sum.0 + one.good + one.excused + one.failed, sum.1 + one.excused, sum.2 + one.failed)
        })
    }
}

fn seconds(record: &Record, end: Duration) -> BTreeMap<Stream, Vec<Second>> {
    let excuses = Excuses::of(record);
    let length = end.as_secs() as usize + 1;
    let mut all: BTreeMap<Stream, Vec<Second>> =
        Stream::ALL.into_iter().map(|stream| (stream, vec![Second::default(); length])).collect();
    for request in &record.requests {
        let second = all.get_mut(&request.stream).and_then(|list| list.get_mut(request.at.as_secs() as usize));
        let Some(second) = second else { continue };
        match (&request.error, excuses.excuse(request)) {
            (None, _) => {
                second.good += 1;
                second.took.push(request.took);
            }
            (Some(_), Some(_)) => second.excused += 1,
            (Some(_), None) => second.failed += 1,
        }
    }
    all.values_mut().flatten().for_each(|second| second.took.sort_unstable());
    all
}

fn gaps(record: &Record) -> BTreeMap<(Stream, String), Duration> {
    let mut good: BTreeMap<(Stream, String), Vec<(Duration, Duration)>> = BTreeMap::new();
    for request in record.requests.iter().filter(|request| request.error.is_none()) {
        good.entry((request.stream, request.through.clone())).or_default().push((request.at, request.ended()));
    }
    let gap = |mut all: Vec<(Duration, Duration)>| {
        all.sort_unstable();
        let mut last = all.first().map_or(Duration::ZERO, |first| first.0);
        let mut longest = Duration::ZERO;
        for (_, ended) in all {
            longest = longest.max(ended.saturating_sub(last));
            last = last.max(ended);
        }
        longest
    };
    good.into_iter().map(|(key, all)| (key, gap(all))).collect()
}
