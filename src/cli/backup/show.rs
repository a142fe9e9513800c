//! What a backup says about itself, for people.

use crate::output::columns;
use raftsman_backup::{Manifest, Totals};

/// A few lines: whose, when, how much.
pub fn summary(manifest: &Manifest, totals: Totals, bytes: u64, sealed: bool) -> String {
    let when = jiff::Timestamp::from_second(i64::try_from(manifest.time).unwrap_or(i64::MAX));
    let members: Vec<&str> = manifest.members.iter().map(|member| member.name.as_str()).collect();
    let keys = if manifest.keys.is_empty() { "none".to_owned() } else { manifest.keys.join(", ") };
    let rows = [
        ("cluster", format!("{} ({})", manifest.cluster, manifest.cluster_id)),
        (
            "made",
            format!(
                "{} by {}, raftsman {}",
                when.map_or_else(|_| "?".into(), |t| t.to_string()),
                manifest.master,
                manifest.program
            ),
        ),
        ("revision", format!("{} (epoch {})", manifest.revision, manifest.epoch)),
        ("masters", members.join(", ")),
        ("objects", format!("{} of {} resources, {} bytes", totals.objects, manifest.counts.len(), totals.bytes)),
        ("keys", keys),
        (
            "file",
            format!(
                "{bytes} bytes, {}",
                if sealed { "encrypted" } else { "not encrypted: it shows Secrets to whoever reads it" }
            ),
        ),
    ];
    columns(&rows.map(|(name, value)| [name.to_owned(), value]))
}

/// The number of objects of each resource.
pub(super) fn counts(manifest: &Manifest) -> String {
    let head = ["RESOURCE".to_owned(), "OBJECTS".to_owned()];
    let rows = manifest.counts.iter().map(|(resource, count)| [resource.clone(), count.to_string()]);
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
