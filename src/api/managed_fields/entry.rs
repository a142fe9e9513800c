//! The entries of `metadata.managedFields`.

use super::Set;
use crate::value::{At, remove, set as put};
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Apply, Self::Update].into_iter().find(|operation| operation.name() == name)
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub manager: String,
    pub operation: Operation,
    pub subresource: String,
    pub api_version: String,
    pub time: String,
    pub fields: Set,
}

impl Entry {
    pub fn is(&self, manager: &str, operation: Operation, subresource: &str) -> bool {
        self.manager == manager && self.operation == operation && self.subresource == subresource
    }

    /// `None` for what is no entry.
    fn from_json(entry: &Value) -> Option<Self> {
        let text = |field: &str| entry.text(field).to_owned();
        (entry.text("fieldsType") == "FieldsV1").then_some(())?;
        Some(Self {
            manager: text("manager"),
            operation: Operation::parse(entry.text("operation"))?,
            subresource: text("subresource"),
            api_version: text("apiVersion"),
            time: text("time"),
            fields: Set::from_json(entry.at("fieldsV1"))?,
        })
    }

    fn to_json(&self) -> Value {
        let mut out = json!({
            "manager": self.manager, "operation": self.operation.name(), "apiVersion": self.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_json(),
        });
        for (field, text) in [("time", &self.time), ("subresource", &self.subresource)] {
            if !text.is_empty() {
                out[field] = text.as_str().into();
            }
        }
        out
    }
}

/// What a request says of the entries.
pub(super) enum Sent {
    /// Nothing, or what cannot be read: clients that know nothing of managed fields drop them.
    Nothing,
    /// They are to be wiped.
    Wiped,
    /// These.
    Entries(Vec<Entry>),
}

/// What the object of a request says of the entries.
pub(super) fn sent(object: &Value) -> Sent {
    match object.list("metadata.managedFields") {
        [] => Sent::Nothing,
        [Value::Object(entry)] if entry.is_empty() => Sent::Wiped,
        entries => entries.iter().map(Entry::from_json).collect::<Option<_>>().map_or(Sent::Nothing, Sent::Entries),
    }
}

/// The entries of a stored object.
pub(super) fn read(object: &Value) -> Vec<Entry> {
    object.list("metadata.managedFields").iter().filter_map(Entry::from_json).collect()
}

/// Sets the entries; one that owns nothing is left out.
pub(super) fn write(object: &mut Value, mut entries: Vec<Entry>) {
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
    let listed: Vec<Value> = entries.iter().map(Entry::to_json).collect();
    put(object, "metadata.managedFields", listed);
}
