//! Who owns which field (`metadata.managedFields`, FieldsV1), as `sigs.k8s.io/structured-merge-diff` records it.

mod apply;
mod cap;
mod compare;
mod entry;
mod last_applied;
mod set;

pub use apply::{Conflict, apply};
pub use entry::Operation;
pub use set::Set;

use crate::kind::KindInfo;
use crate::registry;
use cap::cap;
use compare::{Comparison, compare};
use entry::{Entry, Sent, read, sent, write};
use serde_json::Value;

/// Records that `manager` turned `old` (nothing, at creation) into `object` by a create, update or patch. `subresource`
/// is empty for the main resource; `now` is RFC 3339 with seconds. An object that differs in nothing keeps its entries.
///
/// A client may change the entries of the main resource: what it sends counts if it can be read, `[{}]` wipes all, and
/// nothing leaves them as they are.
pub fn update(info: &KindInfo, object: &mut Value, old: Option<&Value>, manager: &str, subresource: &str, now: &str) {
    let mut entries = match sent(object) {
        Sent::Entries(entries) if subresource.is_empty() => entries,
        Sent::Wiped if subresource.is_empty() => Vec::new(),
        _ => old.map(read).unwrap_or_default(),
    };
    let Comparison { mut added, mut modified, removed } = compare(registry::shape(info), old, object);
    for set in [&mut added, &mut modified] {
        set.strip(info, subresource);
    }
    let changed = added.union(&modified);
    for entry in &mut entries {
        let mine = entry.is(manager, Operation::Update, subresource);
        entry.fields = entry.fields.without(&removed);
        if !mine {
            entry.fields = entry.fields.without(&changed);
        }
    }
    if !changed.is_empty() {
        match entries.iter_mut().find(|entry| entry.is(manager, Operation::Update, subresource)) {
            Some(entry) => {
                entry.fields = entry.fields.union(&changed);
                entry.time = now.to_owned();
                entry.api_version = info.api_version();
            }
            None => entries.push(Entry {
                manager: manager.to_owned(),
                operation: Operation::Update,
                subresource: subresource.to_owned(),
                api_version: info.api_version(),
                time: now.to_owned(),
                fields: changed,
            }),
        }
    }
    cap(&mut entries);
    write(object, entries);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
