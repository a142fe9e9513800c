//! Runs of Jobs are counted exactly, and none is lost.

use super::{Excuses, Verdict};
use crate::record::{JobEnd, Line, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
pub(super) struct Jobs;

fn wrong(job: &JobEnd) -> Option<String> {
    let all = format!("0-{}", job.completions.saturating_sub(1));
    let missing: Vec<u32> = (0..job.completions).filter(|index| !job.ran.contains_key(index)).collect();
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

/// A run that was done more than once, without a fault on the node that did it before.
fn doubled(job: &JobEnd, excuses: &Excuses<'_>) -> Option<String> {
    job.ran.iter().find_map(|(index, lines)| {
        let lives: BTreeMap<&str, &Line> = lines.iter().map(|line| (line.life.as_str(), line)).collect();
        let mut lives: Vec<&Line> = lives.into_values().collect();
        lives.sort_by_key(|line| line.at);
        let excused = |two: &[&Line]| {
            let [first, second] = two else { return true };
            let mut at = first.at.saturating_sub(BEFORE);
            while at <= second.at {
                if excuses.moved(&first.node, at, |_| Duration::ZERO).is_some() {
                    return true;
                }
                at += Duration::from_secs(1);
            }
            false
        };
        let two = lives.windows(2).find(|two| !excused(two))?;
        let places: Vec<String> =
            two.iter().map(|line| format!("{} at {:.1} s", line.node, line.at.as_secs_f64())).collect();
        Some(format!("ran index {index} more than once: {}", places.join(", ")))
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
                let lives = |lines: &Vec<Line>| lines.iter().map(|line| &line.life).collect::<BTreeSet<_>>().len();
                let all: usize = record.jobs.iter().flat_map(|job| job.ran.values()).map(lives).sum();
                let again = all.saturating_sub(runs as usize);
                Ok(format!("{} jobs, {runs} runs, {again} of them again after a fault", record.jobs.len()))
            }
        }
    }
}
