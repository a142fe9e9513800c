//! The shape of every built-in type: made once from the types' own JSON schemas and the table of merge keys.
//!
//! Decoding, strategic merge, field ownership and OpenAPI all walk this one tree.

mod compile;
mod decode;
mod merge_keys;
#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests;
mod zeros;

pub use compile::{Definitions, Roots};
pub use decode::decode;
pub use merge_keys::{FieldRule, ListKind, MERGE_KEYS, PatchStrategy, atomic_type, key_default, rule};
pub use zeros::{KEEPS_ZERO, keeps_zero};

use std::collections::HashMap;

/// What may stand at one place of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// An object with known fields: an index into [`Definitions::structs`].
    Struct(usize),
    /// An object whose keys are free.
    Map(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A string.
    Text,
    /// A base64 string.
    Bytes,
    /// RFC 3339, written with seconds.
    Time,
    /// RFC 3339, written with microseconds.
    MicroTime,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A number.
    Number,
    /// A boolean.
    Bool,
    /// An integer or a string.
    IntOrString,
    /// A resource quantity.
    Quantity,
    /// Anything.
    Any,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it holds.
    pub shape: Shape,
    /// The schema requires it.
    pub required: bool,
    /// An empty string, 0 or false is kept: upstream's type is a pointer or is always written.
    pub keeps_zero: bool,
    /// How its lists and maps merge.
    pub rule: Option<&'static FieldRule>,
}

/// A struct type.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    /// Official definition name: `io.k8s.api.core.v1.PodSpec`.
    pub name: String,
    /// Its fields by JSON name.
    pub fields: HashMap<String, Field>,
    /// It is owned and replaced as one value (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
}
