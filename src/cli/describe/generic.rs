//! Kinds without a page of their own: all their fields.

use crate::describe::page::{Page, plain};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, object: &Value) {
    let hidden = ["apiVersion", "kind", "metadata"];
    for (name, value) in object.as_object().into_iter().flatten().filter(|(name, _)| !hidden.contains(&name.as_str())) {
        field(page, name, value, object["kind"] == "Secret" && matches!(name.as_str(), "data" | "stringData"));
    }
}

/// `secret`: only the values' sizes are shown.
fn field(page: &mut Page, name: &str, value: &Value, secret: bool) {
    match value {
        Value::Object(map) if !map.is_empty() => page.section(name, |page| {
            for (name, value) in map {
                field(page, name, value, secret);
            }
        }),
        Value::Array(items) if items.iter().any(Value::is_object) => page.section(name, |page| {
            for (at, item) in items.iter().enumerate() {
                field(page, &at.to_string(), item, secret);
            }
        }),
        Value::String(text) if secret => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_or(text.len(), |bytes| bytes.len());
            page.field(name, format!("{bytes} bytes"));
        }
        Value::String(text) if text.contains('\n') => {
            page.lines(name, &text.lines().map(str::to_owned).collect::<Vec<_>>())
        }
        other => page.field(name, plain(other)),
    }
}
