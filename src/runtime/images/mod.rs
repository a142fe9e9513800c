//! The content store: blobs by digest, references, and each layer unpacked once for overlayfs.
//!
//! Several agents of one machine may share a store: every write is a rename, and locks on files keep two from doing
//! the same work twice and a collection from taking what another one is just adding.

mod archive;
mod collect;
mod layout;
mod model;
mod pull;
mod reference;
mod store;
mod unpack;

pub(crate) use store::blocking;
pub use store::{ImageStore, ImageStoreConfig};

use crate::border::RuntimeError;

/// A disk or archive problem, worth another try or a look at the disk.
pub(crate) fn disk(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> RuntimeError {
    let what = what.to_string();
    move |error| RuntimeError::Transient(format!("{what}: {error}"))
}
