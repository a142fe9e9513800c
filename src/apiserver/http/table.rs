//! `kubectl get`'s tables and metadata-only forms.

use raftsman_api::kind::Strategy;
use raftsman_api::value::At;
use raftsman_state::Object;
use serde_json::{Value, json};

/// What of the object stands in a row (`includeObject`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// From the query.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "None" => Self::None,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// `columnDefinitions`.
pub(crate) fn columns(kind: &dyn Strategy) -> Value {
    let columns = kind.columns().iter().map(|column| {
        json!({
            "name": column.name, "type": column.kind, "format": column.format, "priority": column.priority,
            "description": column.description,
        })
    });
    columns.collect()
}

/// One row. An object that cannot be read has empty cells.
pub(crate) fn row(kind: &dyn Strategy, object: &Object, include: Include, now: &str) -> Value {
    let value: Value = serde_json::from_slice(&object.json).unwrap_or_default();
    let cells = kind.cells(&value, now);
    let shown = match include {
        Include::None => Value::Null,
        Include::Metadata => metadata(&value),
        Include::Object => value,
    };
    json!({ "cells": cells, "object": shown })
}

/// `PartialObjectMetadata`.
pub(crate) fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.at("metadata").clone(),
    })
}

/// A table's beginning, up to its rows: `{"kind":"Table",…,"rows":[`.
pub(crate) fn head(kind: &dyn Strategy, list_metadata: &Value, with_columns: bool) -> String {
    let columns = if with_columns { columns(kind) } else { json!([]) };
    format!(
        "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{list_metadata},\"columnDefinitions\":{columns},\"rows\":["
    )
}
