//! Runs of Jobs are counted exactly, and none is lost.

use super::{Excuses, Verdict};
use crate::record::{JobEnd, Line, Record};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub(super) struct Jobs;

/// The lives that came to their end, by index.
fn lives(lines: &[Line]) -> Vec<&Line> {
    let lives: BTreeMap<&str, &Line> = lines.iter().map(|line| (line.life.as_str(), line)).collect();
    let mut lives: Vec<&Line> = lives.into_values().collect();
    lives.sort_by_key(|line| line.at);
    lives
}

/// What never ended, though it was counted.
fn missing(job: &JobEnd) -> Vec<u32> {
    if job.indexed {
        return (0..job.completions).filter(|index| !job.ran.contains_key(index)).collect();
    }
    let ended: usize = job.ran.values().map(|lines| lives(lines).len()).sum();
    (u32::try_from(ended).unwrap_or(u32::MAX)..job.completions).collect()
}

fn wrong(job: &JobEnd) -> Option<String> {
    let all = if job.indexed { format!("0-{}", job.completions.saturating_sub(1)) } else { String::new() };
    let missing = missing(job);
    if !job.complete {
        Some(format!("is not complete: {} of {} succeeded", job.succeeded, job.completions))
    } else if job.succeeded != job.completions || job.indexes != all {
        Some(format!("says {} of {} succeeded, indexes {:?}", job.succeeded, job.completions, job.indexes))
    } else if !missing.is_empty() {
        Some(format!("is complete, and the runs {missing:?} never ended"))
    } else {
        job.uncounted.then(|| "is complete, with runs that are not counted".to_owned())
    }
}

/// A pod that was lost may have come to its end some time before that was known.
const BEFORE: Duration = Duration::from_secs(20);

/// Something may have taken pods away from that node between these two moments.
fn excused(excuses: &Excuses<'_>, node: &str, from: Duration, to: Duration) -> bool {
    let mut at = from.saturating_sub(BEFORE);
    while at <= to {
        if excuses.moved(node, at, |_| Duration::ZERO).is_some() {
            return true;
        }
        at += Duration::from_secs(1);
    }
    false
}

/// A run that was done more than once, without a fault on the node that did it before.
fn doubled(job: &JobEnd, excuses: &Excuses<'_>) -> Option<String> {
    let places = |lines: &[&Line]| {
        let place = |line: &&Line| format!("{} at {:.1} s", line.node, line.at.as_secs_f64());
        lines.iter().map(place).collect::<Vec<_>>().join(", ")
    };
    job.ran.iter().find_map(|(index, lines)| {
        let lives = lives(lines);
        if !job.indexed {
            // Which of them was the one too many, nobody knows: any of the nodes may have been hit.
            let (first, last) = (lives.first()?.at, lives.last()?.at);
            let excused = lives.iter().any(|line| excused(excuses, &line.node, first, last));
            let more = lives.len() > job.completions as usize && !excused;
            return more.then(|| format!("ran {} times, not {}: {}", lives.len(), job.completions, places(&lives)));
        }
        let again = |two: &&[&Line]| match two {
            [first, second] => !excused(excuses, &first.node, first.at, second.at),
            _ => false,
        };
        let two = lives.windows(2).find(again)?;
        Some(format!("ran index {index} more than once: {}", places(two)))
    })
}

impl Verdict for Jobs {
    fn name(&self) -> &'static str {
        "jobs count every run once, lose none and double none"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let why = |job| wrong(job).or_else(|| doubled(job, &excuses));
        match record.jobs.iter().find_map(|job| Some((job, why(job)?))) {
            Some((job, why)) => Err(format!("{} {why}", job.name)),
            None => {
                let runs: u32 = record.jobs.iter().map(|job| job.completions).sum();
                let all: usize =
                    record.jobs.iter().flat_map(|job| job.ran.values()).map(|lines| lives(lines).len()).sum();
                let again = all.saturating_sub(runs as usize);
                Ok(format!("{} jobs, {runs} runs, {again} of them again after a fault", record.jobs.len()))
            }
        }
    }
}
