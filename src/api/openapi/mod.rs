//! OpenAPI, made from the types' own schemas and the table of merge keys: v3, a document for each group and version, and of
//! these v2, one document, in JSON and in protobuf.

mod document;
mod gnostic;
mod paths;
mod roots;
mod schemas;
mod swagger;

pub use document::{Document, documents, index};
pub use gnostic::protobuf;
pub(crate) use roots::add_roots;
pub use swagger::swagger;
