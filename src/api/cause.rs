//! Field errors, worded as upstream's `field.Error` words them.

use crate::status::Cause;
use serde_json::Value;
use std::fmt::Display;

fn cause(reason: &str, field: impl Into<String>, message: String) -> Cause {
    Cause { reason: reason.to_owned(), message, field: field.into() }
}

impl Cause {
    /// `Required value` with an optional detail.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        cause("FieldValueRequired", field, message)
    }

    /// `Invalid value: VALUE: detail`; strings are quoted, other values stand as their JSON.
    pub fn invalid(field: impl Into<String>, value: impl Into<Value>, detail: impl Display) -> Self {
        cause("FieldValueInvalid", field, format!("Invalid value: {}: {detail}", value.into()))
    }

    /// A value of the wrong JSON type.
    pub fn wrong_type(field: impl Into<String>, value: &Value, expected: &str) -> Self {
        let mut shown = value.to_string();
        if shown.chars().count() > 120 {
            shown = shown.chars().take(117).chain("...".chars()).collect();
        }
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        cause("FieldValueTypeInvalid", field, format!("Invalid value: {shown}: must be {expected}, not {found}"))
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let mut sorted = supported.to_vec();
        sorted.sort_unstable();
        let listed: Vec<String> = sorted.iter().map(|text| format!("\"{text}\"")).collect();
        let value = Value::from(value);
        cause(
            "FieldValueNotSupported",
            field,
            format!("Unsupported value: {value}: supported values: {}", listed.join(", ")),
        )
    }

    /// `Forbidden: detail`.
    pub fn forbidden(field: impl Into<String>, detail: impl Display) -> Self {
        cause("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// `Duplicate value: VALUE`.
    pub fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        cause("FieldValueDuplicate", field, format!("Duplicate value: {}", value.into()))
    }

    /// `Too long: may not be more than N bytes`.
    pub fn too_long(field: impl Into<String>, most: usize) -> Self {
        cause("FieldValueTooLong", field, format!("Too long: may not be more than {most} bytes"))
    }

    /// `Too many: HAVE: must have at most N items`.
    pub fn too_many(field: impl Into<String>, have: usize, most: usize) -> Self {
        cause("FieldValueTooMany", field, format!("Too many: {have}: must have at most {most} items"))
    }

    /// `Not found: VALUE`.
    pub fn not_found(field: impl Into<String>, value: impl Into<Value>) -> Self {
        cause("FieldValueNotFound", field, format!("Not found: {}", value.into()))
    }
}

/// One [`Cause::invalid`] for each complaint about one value.
pub fn invalid_each(field: &str, value: &str, complaints: Vec<String>) -> Vec<Cause> {
    complaints.into_iter().map(|detail| Cause::invalid(field, value, detail)).collect()
}

/// The value may not change.
pub fn immutable<T: PartialEq + serde::Serialize>(field: &str, new: &T, old: &T) -> Vec<Cause> {
    if new == old {
        return Vec::new();
    }
    let shown = serde_json::to_value(new).unwrap_or_default();
    vec![Cause::invalid(field, shown, "field is immutable")]
}
