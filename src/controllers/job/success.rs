//! `successPolicy` (KEP-3998): when some completions are enough.

use k8s_openapi::api::batch::v1::JobSpec;
use raftsman_api::indexes::Indexes;

/// The message of the first rule that the finished indexes fulfil.
pub(super) fn met(spec: &JobSpec, done: &Indexes) -> Option<String> {
    let completions = u32::try_from(spec.completions.unwrap_or(0)).unwrap_or(0);
    let policy = spec.success_policy.as_ref().filter(|_| !done.is_empty())?;
    let met = policy.rules.iter().position(|rule| {
        let wanted = rule.succeeded_count.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        match &rule.succeeded_indexes {
            None => wanted.is_some_and(|wanted| done.len() >= wanted),
            Some(text) => {
                let Ok(indexes) = Indexes::parse(text, completions) else {
                    return false;
                };
                !indexes.is_empty() && done.common(&indexes) >= wanted.unwrap_or(indexes.len())
            }
        }
    });
    met.map(|index| format!("Matched rules at index {index}"))
}
