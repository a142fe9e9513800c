//! Tables as the server sends them (meta/v1 Table), with the columns that the flags ask for.

use crate::get::command::GetOptions;
use crate::output::{Format, columns, padded};
use crate::resources::Resource;
use serde_json::{Value, json};

/// Collects the tables of one type and prints them as one.
pub(super) struct Printer {
    wide: bool,
    /// With what happened to each.
    events: bool,
    namespaces: bool,
    labels: bool,
    label_columns: Vec<String>,
    headers: bool,
    prefix: Option<String>,
    /// Indices of the server's columns that are shown.
    shown: Vec<usize>,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Printer {
    pub(super) fn new(options: &GetOptions, resource: &Resource, several: bool) -> Self {
        let prefix = (options.show_kind || several).then(|| resource.qualified(""));
        Self {
            wide: options.output == Some(Format::Wide),
            events: options.output_watch_events,
            namespaces: options.all_namespaces && resource.namespaced,
            labels: options.show_labels,
            label_columns: options.label_columns.clone(),
            headers: !options.no_headers,
            prefix,
            shown: Vec::new(),
            rows: Vec::new(),
            widths: Vec::new(),
        }
    }

    /// Takes a table's rows. The first table has the column definitions; later ones of a watch may lack them.
    pub(super) fn add(&mut self, table: &Value) {
        self.add_event(table, "ADDED");
    }

    /// The same, where this happened to them. What is no table, because the server has none of it, has a name at least.
    pub(super) fn add_event(&mut self, table: &Value, event: &str) {
        if table["kind"] != "Table" && table["metadata"]["name"].is_string() {
            let columns = json!([{"name": "Name"}, {"name": "Created At"}]);
            let cells = json!([table["metadata"]["name"], table["metadata"]["creationTimestamp"]]);
            let row = json!({"cells": cells, "object": table});
            return self.add_event(&json!({"kind": "Table", "columnDefinitions": columns, "rows": [row]}), event);
        }
        let definitions = table["columnDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        if self.shown.is_empty() && !definitions.is_empty() {
            let wanted = |definition: &&Value| self.wide || definition["priority"].as_i64().unwrap_or(0) == 0;
            self.shown = (0..definitions.len()).filter(|at| definitions.get(*at).is_some_and(|d| wanted(&d))).collect();
            if self.headers {
                let names = self.shown.iter().map(|at| text(&definitions[*at]["name"]).to_uppercase());
                let labels =
                    self.label_columns.iter().map(|label| label.rsplit('/').next().unwrap_or(label).to_uppercase());
                let header: Vec<String> = self
                    .events
                    .then(|| "EVENT".to_owned())
                    .into_iter()
                    .chain(self.namespaces.then(|| "NAMESPACE".to_owned()))
                    .chain(names)
                    .chain(labels)
                    .chain(self.labels.then(|| "LABELS".to_owned()))
                    .collect();
                self.rows.push(header);
            }
        }
        for row in table["rows"].as_array().into_iter().flatten() {
            self.rows.push(self.row(row, event));
        }
    }

    fn row(&self, row: &Value, event: &str) -> Vec<String> {
        let metadata = &row["object"]["metadata"];
        let mut cells: Vec<String> = Vec::new();
        if self.events {
            cells.push(event.to_owned());
        }
        if self.namespaces {
            cells.push(text(&metadata["namespace"]));
        }
        for (place, at) in self.shown.iter().enumerate() {
            let cell = text(&row["cells"][*at]);
            match &self.prefix {
                Some(prefix) if place == 0 => cells.push(format!("{prefix}{cell}")),
                _ => cells.push(cell),
            }
        }
        for label in &self.label_columns {
            cells.push(text(&metadata["labels"][label.as_str()]));
        }
        if self.labels {
            let all = metadata["labels"].as_object().into_iter().flatten();
            let all: Vec<String> = all.map(|(name, value)| format!("{name}={}", text(value))).collect();
            cells.push(if all.is_empty() { "<none>".to_owned() } else { all.join(",") });
        }
        cells
    }

    /// Everything that was added, aligned; empty without rows.
    pub(super) fn finish(&mut self) -> String {
        let rows = std::mem::take(&mut self.rows);
        if rows.len() <= usize::from(self.headers) { String::new() } else { columns(&rows) }
    }

    /// What was added since the last time, aligned with what came before.
    pub(super) fn drain(&mut self) -> String {
        let rows = std::mem::take(&mut self.rows);
        let mut lines = String::new();
        for row in &rows {
            self.widths.resize(self.widths.len().max(row.len()), 0);
            for (at, cell) in row.iter().enumerate() {
                self.widths[at] = self.widths[at].max(cell.chars().count());
            }
        }
        for row in &rows {
            lines.push_str(&padded(row, &self.widths));
        }
        lines
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
