//! Every request that failed has a fault that excuses it.

use super::{Excuses, Verdict};
use crate::record::Record;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Excused;

impl Verdict for Excused {
    fn name(&self) -> &'static str {
        "every failed request has a fault that excuses it"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let healed = record.healed.unwrap_or(std::time::Duration::MAX);
        let failed: Vec<_> = record.requests.iter().filter(|request| request.error.is_some()).collect();
        // From the healing on, full service is asked for by another verdict.
        let without: Vec<_> = failed.iter().filter(|r| r.at < healed && excuses.excuse(r).is_none()).collect();
        let Some(first) = without.first() else {
            return Ok(format!("{} of {} requests failed, each excused", failed.len(), record.requests.len()));
        };
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for request in &without {
            *kinds.entry(request.stream.name()).or_default() += 1;
        }
        let through = if first.through.is_empty() { String::new() } else { format!(" through {}", first.through) };
        Err(format!(
            "{} without an excuse ({kinds:?}); the first: {}{through} at {:.2} s after {:.2} s: {}",
            without.len(),
            first.stream.name(),
            first.at.as_secs_f64(),
            first.took.as_secs_f64(),
            first.error.as_deref().unwrap_or_default().lines().last().unwrap_or_default()
        ))
    }
}
