//! Manifests: files, directories and standard input, cut into documents; a broken one does not spoil the others.

mod document;
mod part;
mod source;

pub use document::{Document, DocumentError, parse};
pub use source::{Sources, read, read_selected};

#[cfg(test)]
mod manifest_tests;
