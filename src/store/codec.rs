//! The store's own encoding of what goes to disk and to peers: compact, positional, without names. A type that is
//! stored or sent keeps its fields and variants in order; new ones are only added at the end of enums.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// Encodes a value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|error| invalid("cannot encode", &error))
}

/// Encodes a value into shared bytes.
pub(crate) fn encode_bytes<T: Serialize + ?Sized>(value: &T) -> io::Result<Bytes> {
    encode(value).map(Bytes::from)
}

/// Decodes a value; trailing bytes are an error.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|error| invalid("cannot decode", &error))?;
    if rest.is_empty() { Ok(value) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "trailing bytes")) }
}

fn invalid(what: &str, error: &postcard::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {error}"))
}
