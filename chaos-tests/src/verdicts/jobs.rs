//! Runs of Jobs are counted exactly, and none is lost.

use super::Verdict;
use crate::record::{JobEnd, Record};

/// See the module.
pub(super) struct Jobs;

fn wrong(job: &JobEnd) -> Option<String> {
    let all = format!("0-{}", job.completions.saturating_sub(1));
    let missing: Vec<u32> = (0..job.completions).filter(|index| !job.ran.contains(index)).collect();
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

impl Verdict for Jobs {
    fn name(&self) -> &'static str {
        "jobs count every run once and lose none"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        match record.jobs.iter().find_map(|job| Some((job, wrong(job)?))) {
            Some((job, why)) => Err(format!("{} {why}", job.name)),
            None => {
                let runs: u32 = record.jobs.iter().map(|job| job.completions).sum();
                Ok(format!("{} jobs, {runs} runs", record.jobs.len()))
            }
        }
    }
}
