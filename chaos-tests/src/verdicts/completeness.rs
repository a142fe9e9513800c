//! The run itself was whole: every workload worked. Without that, nothing else means anything.

use super::Verdict;
use crate::record::{Record, Stream};

/// See the module.
pub(super) struct Completeness;

impl Verdict for Completeness {
    fn name(&self) -> &'static str {
        "every workload worked"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        if let Some(broken) = record.broken.first() {
            return Err(broken.clone());
        }
        let good = |stream| record.requests.iter().filter(|r| r.stream == stream && r.error.is_none()).count();
        if let Some(silent) = Stream::ALL.into_iter().find(|stream| good(*stream) == 0) {
            return Err(format!("not one success among {}", silent.name()));
        }
        if record.diaries.is_empty() || record.pods.is_empty() || record.jobs.is_empty() {
            let empty = |what, is: bool| if is { what } else { "" };
            return Err(format!(
                "nothing was seen of{}{}{}",
                empty(" the StatefulSet", record.diaries.is_empty()),
                empty(" pods", record.pods.is_empty()),
                empty(" jobs", record.jobs.is_empty())
            ));
        }
        Ok(Stream::ALL.map(|stream| format!("{} {}", good(stream), stream.name())).join(", "))
    }
}
