//! Serde for `Arc<str>` without a `String` in between.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::sync::Arc;

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    deserializer.deserialize_str(StrVisitor)
}

struct StrVisitor;

impl Visitor<'_> for StrVisitor {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}
