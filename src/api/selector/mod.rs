//! Label and field selectors: parsed once, matched against lookups, so that nothing is decoded to select it.

mod fields;
mod labels;
mod parse;

pub use fields::{FieldSelector, FieldSelectorError};
pub use labels::{Operator, Requirement, Selector};
pub use parse::SelectorError;
