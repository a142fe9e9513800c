//! OpenAPI v3 documents, one per group and version, made from the types' own schemas and the table of merge keys.
//!
//! Version 2 (`/openapi/v2`) is not served: clients that know v3 ask for v3 first, and Go's take v2 as protobuf only.

mod document;
mod paths;
mod roots;
mod schemas;

pub use document::{Document, documents, index};
pub(crate) use roots::add_roots;
