//! Client JSON against a shape: canonical values out, unknown fields and wrong types reported with their paths.

use super::{Definitions, Field, Shape, Struct};
use crate::quantity::Quantity;
use crate::status::Cause;
use crate::{kind::Decoded, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Decodes `json` as a `shape`: nulls and optional zero values are left out as upstream's types leave them out,
/// quantities, times and base64 are canonical.
///
/// # Errors
/// Every value of a wrong type, with its path.
pub fn decode(definitions: &Definitions, shape: &Shape, json: &Value) -> Result<Decoded, Vec<Cause>> {
    let mut walk = Walk { definitions, path: String::new(), unknown: Vec::new(), causes: Vec::new() };
    let object = walk.value(shape, json);
    if walk.causes.is_empty() { Ok(Decoded { object, unknown: walk.unknown }) } else { Err(walk.causes) }
}

struct Walk<'a> {
    definitions: &'a Definitions,
    path: String,
    unknown: Vec<String>,
    causes: Vec<Cause>,
}

impl Walk<'_> {
    fn field(&mut self, name: &str) -> usize {
        let mark = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
        mark
    }

    fn key(&mut self, key: &str) -> usize {
        if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return self.field(key);
        }
        let mark = self.path.len();
        let _ = write!(self.path, "[{key}]");
        mark
    }

    fn wrong(&mut self, value: &Value, expected: &str) -> Value {
        self.causes.push(Cause::wrong_type(self.path.clone(), value, expected));
        Value::Null
    }

    fn bad(&mut self, value: &str, why: String) -> Value {
        self.causes.push(Cause::invalid(self.path.clone(), value, why));
        Value::Null
    }

    fn value(&mut self, shape: &Shape, value: &Value) -> Value {
        match (shape, value) {
            (Shape::Struct(index), Value::Object(map)) => match self.definitions.get(*index) {
                Some(found) => self.fields(found, map),
                None => value.clone(),
            },
            (Shape::Struct(_), _) => self.wrong(value, "an object"),
            (Shape::Map(inner), Value::Object(map)) => self.entries(inner, map),
            (Shape::Map(_), _) => self.wrong(value, "an object"),
            (Shape::List(inner), Value::Array(items)) => self.items(inner, items),
            (Shape::List(_), _) => self.wrong(value, "a list"),
            (Shape::Text, Value::String(_)) | (Shape::Bool, Value::Bool(_)) | (Shape::Any, _) => value.clone(),
            (Shape::Text, _) => self.wrong(value, "a string"),
            (Shape::Bool, _) => self.wrong(value, "a boolean (true or false)"),
            (Shape::Bytes, Value::String(text)) => self.bytes(text),
            (Shape::Bytes, _) => self.wrong(value, "a base64-encoded string"),
            (Shape::Time, Value::String(text)) => self.instant(text, time::seconds),
            (Shape::MicroTime, Value::String(text)) => self.instant(text, time::micros),
            (Shape::Time | Shape::MicroTime, _) => self.wrong(value, "a time (RFC 3339)"),
            (Shape::Int32, _) => match value.as_i64() {
                Some(number) if i32::try_from(number).is_ok() => value.clone(),
                _ => self.wrong(value, "a 32-bit integer"),
            },
            (Shape::Int64, _) if value.is_i64() => value.clone(),
            (Shape::Int64, _) => self.wrong(value, "a 64-bit integer"),
            (Shape::Number, Value::Number(_)) => value.clone(),
            (Shape::Number, _) => self.wrong(value, "a number"),
            (Shape::IntOrString, Value::String(_)) => value.clone(),
            (Shape::IntOrString, _) => match value.as_i64() {
                Some(number) if i32::try_from(number).is_ok() => value.clone(),
                _ => self.wrong(value, "a 32-bit integer or a string"),
            },
            (Shape::Quantity, Value::String(text)) => self.quantity(text),
            (Shape::Quantity, Value::Number(number)) => self.quantity(&number.to_string()),
            (Shape::Quantity, _) => self.wrong(value, "a quantity such as 100m or 128Mi"),
        }
    }

    fn fields(&mut self, found: &Struct, map: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        for (name, value) in map {
            let mark = self.field(name);
            match found.fields.get(name) {
                None => self.unknown.push(self.path.clone()),
                Some(_) if value.is_null() => {}
                Some(field) => {
                    let value = self.value(&field.shape, value);
                    if !omitted(field, &value) {
                        out.insert(name.clone(), value);
                    }
                }
            }
            self.path.truncate(mark);
        }
        Value::Object(out)
    }

    fn entries(&mut self, inner: &Shape, map: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        for (key, value) in map {
            let mark = self.key(key);
            let value = match (inner, value) {
                (Shape::Text | Shape::Bytes, Value::Null) => Value::from(""),
                _ => self.value(inner, value),
            };
            out.insert(key.clone(), value);
            self.path.truncate(mark);
        }
        Value::Object(out)
    }

    fn items(&mut self, inner: &Shape, items: &[Value]) -> Value {
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = self.path.len();
            let _ = write!(self.path, "[{index}]");
            out.push(self.value(inner, item));
            self.path.truncate(mark);
        }
        Value::Array(out)
    }

    fn bytes(&mut self, text: &str) -> Value {
        let tight: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        match STANDARD.decode(&tight) {
            Ok(_) => Value::from(tight),
            Err(error) => {
                let why = format!("must be base64-encoded: {error}");
                self.causes.push(Cause::invalid(self.path.clone(), "<not shown>", why));
                Value::Null
            }
        }
    }

    fn instant(&mut self, text: &str, write: fn(jiff::Timestamp) -> String) -> Value {
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => Value::from(write(at)),
            Err(_) => self.bad(text, "must be a time as RFC 3339 writes it (2006-01-02T15:04:05Z)".to_owned()),
        }
    }

    fn quantity(&mut self, text: &str) -> Value {
        match text.trim().parse::<Quantity>() {
            Ok(quantity) => Value::from(quantity.to_string()),
            Err(error) => self.bad(text, error.to_string()),
        }
    }
}

/// Upstream's `omitempty`: optional zero values are not written, lists and maps not when empty.
fn omitted(field: &Field, value: &Value) -> bool {
    if field.required {
        return value.is_null();
    }
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && !field.keeps_zero,
        Value::Bool(said) => !said && !field.keeps_zero,
        Value::Number(number) => {
            let whole = matches!(field.shape, Shape::Int32 | Shape::Int64);
            whole && number.as_i64() == Some(0) && !field.keeps_zero
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && matches!(field.shape, Shape::Map(_)),
    }
}
