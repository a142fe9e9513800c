//! Who owns which field (`metadata.managedFields`, FieldsV1), as `sigs.k8s.io/structured-merge-diff` records it.

mod apply;
mod compare;
mod set;

pub use apply::{Conflict, apply};
pub use set::Set;

use crate::kind::KindInfo;
use crate::registry;
use crate::value::{At, remove, set as put};
use compare::{Comparison, compare};
use serde_json::{Value, json};

/// How fields came to be owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Everything else.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub manager: String,
    pub operation: Operation,
    pub subresource: String,
    pub api_version: String,
    pub time: String,
    pub fields: Set,
}

impl Entry {
    fn is(&self, manager: &str, operation: Operation, subresource: &str) -> bool {
        self.manager == manager && self.operation == operation && self.subresource == subresource
    }
}

pub(crate) fn read(object: &Value) -> Vec<Entry> {
    let entries = object.list("metadata.managedFields").iter();
    entries
        .map(|entry| Entry {
            manager: entry.text("manager").to_owned(),
            operation: if entry.text("operation") == "Apply" { Operation::Apply } else { Operation::Update },
            subresource: entry.text("subresource").to_owned(),
            api_version: entry.text("apiVersion").to_owned(),
            time: entry.text("time").to_owned(),
            fields: Set::from_json(entry.at("fieldsV1")),
        })
        .collect()
}

pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| {
        let key =
            |entry: &Entry| (entry.operation, entry.time.clone(), entry.manager.clone(), entry.subresource.clone());
        key(a).cmp(&key(b))
    });
    if entries.is_empty() {
        remove(object, "metadata.managedFields");
        return;
    }
    let listed: Vec<Value> = entries
        .into_iter()
        .map(|entry| {
            let mut out = json!({
                "manager": entry.manager, "operation": entry.operation.name(), "apiVersion": entry.api_version,
                "time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_json(),
            });
            if !entry.subresource.is_empty() {
                out["subresource"] = entry.subresource.into();
            }
            out
        })
        .collect();
    put(object, "metadata.managedFields", listed);
}

/// Records that `manager` turned `old` (nothing, at creation) into `object` by a create, update or patch. `subresource`
/// is empty for the main resource; `now` is RFC 3339 with seconds. An object that differs in nothing keeps its entries.
///
/// A client that sends `managedFields: [{}]` wipes all entries, as upstream lets it.
pub fn update(info: &KindInfo, object: &mut Value, old: Option<&Value>, manager: &str, subresource: &str, now: &str) {
    let wiped = matches!(object.list("metadata.managedFields"), [Value::Object(entry)] if entry.is_empty());
    let mut entries = if wiped { Vec::new() } else { old.map(read).unwrap_or_default() };
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
    if !wiped && !changed.is_empty() {
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
    write(object, entries);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
