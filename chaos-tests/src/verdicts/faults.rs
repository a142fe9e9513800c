//! Every fault could be done and undone.

use super::Verdict;
use crate::record::Record;

/// See the module.
pub(super) struct Faults;

impl Verdict for Faults {
    fn name(&self) -> &'static str {
        "every fault was done and healed"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let failed: Vec<String> =
            record.spans.iter().filter_map(|span| Some(format!("{}: {}", span.what, span.error.as_ref()?))).collect();
        if !failed.is_empty() {
            return Err(failed.join("; "));
        }
        let (all, skipped) = (record.spans.len(), record.spans.iter().filter(|span| span.skipped.is_some()).count());
        if skipped * 2 > all {
            return Err(format!("{skipped} of {all} had nothing to hit: the run proves little"));
        }
        Ok(format!("{} faults; {skipped} more had nothing to hit", all - skipped))
    }
}
