//! Columns and cells that many kinds share.

use crate::duration;
use crate::kind::Column;
use crate::value::At;
use serde_json::Value;

/// Upstream's word for nothing.
pub const NONE: &str = "<none>";

/// A text column, always shown.
pub const fn text(name: &'static str, description: &'static str) -> Column {
    Column { name, kind: "string", format: "", priority: 0, description }
}

/// A text column, shown with `-o wide`.
pub const fn wide(name: &'static str, description: &'static str) -> Column {
    Column { name, kind: "string", format: "", priority: 1, description }
}

/// A number column.
pub const fn integer(name: &'static str, description: &'static str) -> Column {
    Column { name, kind: "integer", format: "", priority: 0, description }
}

/// The first column.
pub const NAME: Column = Column {
    name: "Name",
    kind: "string",
    format: "name",
    priority: 0,
    description: "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
};

/// The age column.
pub const AGE: Column = text(
    "Age",
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.",
);

/// The name's cell.
pub fn name(object: &Value) -> Value {
    object.text("metadata.name").into()
}

/// The age's cell.
pub fn age(object: &Value, now: &str) -> Value {
    duration::age(object.text("metadata.creationTimestamp"), now).into()
}

/// A text, or `<none>` if it is empty.
pub fn or_none(text: &str) -> Value {
    if text.is_empty() { NONE.into() } else { text.into() }
}

/// A map as `a=b,c=d`, or `<none>`.
pub fn pairs(map: &Value) -> Value {
    let listed: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    or_none(&listed.join(","))
}

/// A pod template's containers: their names and their images, each joined by commas.
pub fn containers(spec: &Value) -> (Value, Value) {
    let join = |field: &str| {
        let listed: Vec<&str> = spec.list("containers").iter().map(|container| container.text(field)).collect();
        Value::from(listed.join(","))
    };
    (join("name"), join("image"))
}
