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
        if failed.is_empty() { Ok(format!("{} faults", record.spans.len())) } else { Err(failed.join("; ")) }
    }
}
