//! Damage on disk, as people are told of it.

use crate::files::MEND;
use std::io;

/// Something on disk is not as this member wrote it.
#[derive(Debug, thiserror::Error)]
#[error("{place}/{file} is damaged at byte {offset}: {what}. {MEND}")]
pub(crate) struct Damage {
    place: String,
    file: String,
    offset: u64,
    what: String,
}

impl Damage {
    /// As an error of the kind [`io::ErrorKind::InvalidData`].
    pub(crate) fn error(place: &str, file: &str, offset: u64, what: impl Into<String>) -> io::Error {
        let damage = Self { place: place.to_owned(), file: file.to_owned(), offset, what: what.into() };
        io::Error::new(io::ErrorKind::InvalidData, damage)
    }
}
