//! Messages into JSON, led by the kinds' shapes.

use super::wire::{self, Wire};
use super::{ProtobufError, numbers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raftsman_api::schema::{Definitions, Shape};
use raftsman_api::time;
use serde_json::{Map, Value};

/// Deeper than any built-in type.
const DEEPEST: usize = 64;

/// Reads messages.
pub(super) struct Reader<'a> {
    definitions: &'a Definitions,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(definitions: &'a Definitions) -> Self {
        Self { definitions, depth: 0 }
    }

    /// A message by its official name.
    pub(super) fn message(&mut self, name: &str, bytes: &[u8]) -> Result<Value, ProtobufError> {
        match self.definitions.by_name(name) {
            Some(shape) => self.value(shape, Wire::Bytes(bytes)),
            None => Ok(Value::Null),
        }
    }

    fn structure(&mut self, index: usize, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let mut out = Map::new();
        if let Some(found) = self.definitions.get(index) {
            let name = found.name.clone();
            self.fields(index, &name, bytes, &mut out)?;
        }
        Ok(Value::Object(out))
    }

    /// Reads the fields that `message` numbers into the JSON of a struct.
    fn fields(
        &mut self,
        index: usize,
        message: &str,
        bytes: &[u8],
        out: &mut Map<String, Value>,
    ) -> Result<(), ProtobufError> {
        let (Some(numbers), Some(found)) = (numbers::of(message), self.definitions.get(index)) else {
            return Ok(());
        };
        for field in wire::fields(bytes) {
            let (number, wire) = field?;
            // A field that this version does not know.
            let Some(name) = numbers.get(&number) else {
                continue;
            };
            if let (Some(embedded), Wire::Bytes(inner)) = (name.strip_prefix('*'), wire) {
                let package = message.rsplit_once('.').map_or("", |(package, _)| package);
                self.fields(index, &format!("{package}.{embedded}"), inner, out)?;
                continue;
            }
            let Some(field) = found.fields.get(*name) else {
                continue;
            };
            match &field.shape {
                Shape::List(inner) => {
                    let items = self.items(inner, wire)?;
                    if let Value::Array(list) = out.entry(*name).or_insert_with(|| Value::Array(Vec::new())) {
                        list.extend(items);
                    }
                }
                Shape::Map(inner) => {
                    let (key, value) = self.entry(inner, wire)?;
                    if let Value::Object(map) = out.entry(*name).or_insert_with(|| Value::Object(Map::new())) {
                        map.insert(key, value);
                    }
                }
                shape => {
                    let value = self.value(shape, wire)?;
                    // Go writes empty strings and times of fields that were not set.
                    let unset = value.is_null() || value.as_str().is_some_and(str::is_empty) && !field.keeps_zero;
                    if !unset {
                        out.insert((*name).to_owned(), value);
                    }
                }
            }
        }
        Ok(())
    }

    /// One item, or several numbers packed into one field.
    fn items(&mut self, shape: &Shape, wire: Wire<'_>) -> Result<Vec<Value>, ProtobufError> {
        if let (Shape::Int32 | Shape::Int64 | Shape::Bool, Wire::Bytes(mut packed)) = (shape, wire) {
            let mut items = Vec::new();
            while !packed.is_empty() {
                let number = wire::varint(&mut packed).ok_or(ProtobufError::Damaged)?;
                items.push(self.value(shape, Wire::Varint(number))?);
            }
            return Ok(items);
        }
        Ok(vec![self.value(shape, wire)?])
    }

    /// An entry of a map.
    fn entry(&mut self, shape: &Shape, wire: Wire<'_>) -> Result<(String, Value), ProtobufError> {
        let Wire::Bytes(bytes) = wire else {
            return Err(ProtobufError::Damaged);
        };
        let (mut key, mut value) = (String::new(), None);
        for field in wire::fields(bytes) {
            match field? {
                (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
                (2, wire) => value = Some(self.value(shape, wire)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(shape, Wire::Bytes(&[]))?,
        };
        Ok((key, value))
    }

    fn value(&mut self, shape: &Shape, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        if self.depth >= DEEPEST {
            return Err(ProtobufError::Depth);
        }
        self.depth += 1;
        let value = self.shallow(shape, wire);
        self.depth -= 1;
        value
    }

    fn shallow(&mut self, shape: &Shape, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        Ok(match (shape, wire) {
            (Shape::Struct(index), Wire::Bytes(bytes)) => self.structure(*index, bytes)?,
            (Shape::Text, Wire::Bytes(bytes)) => String::from_utf8_lossy(bytes).into(),
            (Shape::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
            (Shape::Bool, Wire::Varint(number)) => (number != 0).into(),
            // Negative numbers are written as 64 bits, in two's complement.
            (Shape::Int32 | Shape::Int64, Wire::Varint(number)) => number.cast_signed().into(),
            (Shape::Number, Wire::Fixed64(bits)) => f64::from_bits(bits).into(),
            (Shape::Time, Wire::Bytes(bytes)) => instant(bytes, time::seconds)?,
            (Shape::MicroTime, Wire::Bytes(bytes)) => instant(bytes, time::micros)?,
            (Shape::Quantity, Wire::Bytes(bytes)) => first_text(bytes)?,
            (Shape::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes)?,
            // `runtime.RawExtension` and `FieldsV1`: JSON in a field of its own.
            (Shape::Any, Wire::Bytes(bytes)) => raw(bytes)?,
            (Shape::List(_) | Shape::Map(_), _) => return Err(ProtobufError::Damaged),
            _ => return Err(ProtobufError::Damaged),
        })
    }
}

fn instant(bytes: &[u8], write: fn(jiff::Timestamp) -> String) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in wire::fields(bytes) {
        match field? {
            (1, Wire::Varint(number)) => seconds = number.cast_signed(),
            (2, Wire::Varint(number)) => nanos = i32::try_from(number.cast_signed()).unwrap_or(0),
            _ => {}
        }
    }
    // A time that was not set: nothing, or Go's year 1.
    if bytes.is_empty() || seconds < -62_000_000_000 {
        return Ok(Value::Null);
    }
    Ok(jiff::Timestamp::new(seconds, nanos).map_or(Value::Null, |at| write(at).into()))
}

fn first_text(bytes: &[u8]) -> Result<Value, ProtobufError> {
    for field in wire::fields(bytes) {
        if let (1, Wire::Bytes(text)) = field? {
            return Ok(String::from_utf8_lossy(text).into());
        }
    }
    Ok(Value::from("0"))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0_i64, String::new());
    for field in wire::fields(bytes) {
        match field? {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(value)) => text = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

fn raw(bytes: &[u8]) -> Result<Value, ProtobufError> {
    for field in wire::fields(bytes) {
        if let (1, Wire::Bytes(json)) = field? {
            return serde_json::from_slice(json).map_err(|_| ProtobufError::Damaged);
        }
    }
    Ok(Value::Null)
}
