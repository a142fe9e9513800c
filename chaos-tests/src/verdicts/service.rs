//! Within 30 s after everything was healed, everything serves.

use super::Verdict;
use crate::record::Record;
use std::time::Duration;

/// The promise.
pub const WITHIN: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct FullService;

impl Verdict for FullService {
    fn name(&self) -> &'static str {
        "full service within 30 s after the last fault is healed"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let late: Vec<String> = record
            .service
            .iter()
            .filter(|one| one.after.is_none_or(|after| after > WITHIN))
            .map(|one| match one.after {
                Some(after) => format!("{} took {:.1} s", one.what, after.as_secs_f64()),
                None => format!("{}: {}", one.what, one.last),
            })
            .collect();
        let last = record.service.iter().filter_map(|one| one.after).max().unwrap_or_default();
        match late.is_empty() && !record.service.is_empty() {
            true => {
                Ok(format!("{} things asked for, the last after {:.1} s", record.service.len(), last.as_secs_f64()))
            }
            false => Err(if late.is_empty() { "nothing was asked for".to_owned() } else { late.join("; ") }),
        }
    }
}
