//! A page of names and values, the values in one column.

use serde_json::Value;

/// Width of the first column.
const COLUMN: usize = 18;

/// Collects lines.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    depth: usize,
}

impl Page {
    /// `Name:   value`, at the current depth.
    pub(super) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        let indent = "  ".repeat(self.depth);
        let value = value.as_ref();
        let value = if value.is_empty() { "<none>" } else { value };
        let width = COLUMN.saturating_sub(indent.len());
        self.text.push_str(&format!("{indent}{:<width$} {value}\n", format!("{name}:")));
    }

    /// A field from JSON; nothing if it is not there.
    pub(super) fn given(&mut self, name: &str, value: &Value) {
        if !value.is_null() {
            self.field(name, plain(value));
        }
    }

    /// A heading; what `inside` writes stands below it.
    pub(super) fn section(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.text.push_str(&format!("{}{name}:\n", "  ".repeat(self.depth)));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    /// One value a line, all in the second column.
    pub(super) fn lines(&mut self, name: &str, values: &[String]) {
        let Some((first, rest)) = values.split_first() else {
            return self.field(name, "");
        };
        self.field(name, first);
        for value in rest {
            self.text.push_str(&format!("{}{value}\n", " ".repeat(COLUMN + 1)));
        }
    }

    /// Labels or annotations.
    pub(super) fn map(&mut self, name: &str, map: &Value) {
        let shown = map.as_object().into_iter().flatten();
        let shown = shown.filter(|(key, _)| *key != crate::apply::LAST_APPLIED);
        let pairs: Vec<String> = shown.map(|(key, value)| format!("{key}={}", plain(value))).collect();
        self.lines(name, &pairs);
    }

    /// A table, indented.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        let indent = "  ".repeat(self.depth);
        for line in crate::output::columns(rows).lines() {
            self.text.push_str(&format!("{indent}{line}\n"));
        }
    }

    /// Lines as they are.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What every object has.
    pub(super) fn metadata(&mut self, object: &Value, namespaced: bool) {
        let metadata = &object["metadata"];
        self.field("Name", plain(&metadata["name"]));
        if namespaced {
            self.field("Namespace", plain(&metadata["namespace"]));
        }
        self.map("Labels", &metadata["labels"]);
        self.map("Annotations", &metadata["annotations"]);
        self.given("Created", &metadata["creationTimestamp"]);
        self.given("Terminating since", &metadata["deletionTimestamp"]);
        for owner in metadata["ownerReferences"].as_array().into_iter().flatten() {
            if owner["controller"] == true {
                self.field("Controlled By", format!("{}/{}", plain(&owner["kind"]), plain(&owner["name"])));
            }
        }
    }

    /// `status.conditions`.
    pub(super) fn conditions(&mut self, object: &Value) {
        let conditions: Vec<&Value> = object["status"]["conditions"].as_array().into_iter().flatten().collect();
        if conditions.is_empty() {
            return;
        }
        self.section("Conditions", |page| {
            let mut rows = vec![["Type", "Status", "Reason", "Message"].map(str::to_owned).to_vec()];
            for condition in conditions {
                rows.push(["type", "status", "reason", "message"].map(|field| plain(&condition[field])).to_vec());
            }
            page.table(&rows);
        });
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A value in one line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// Items of a list, none if it is none.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
