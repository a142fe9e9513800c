//! The store's own encoding of what goes to disk and to peers: compact, positional, without names. A type that is
//! stored or sent keeps its fields and variants in order; new ones are only added at the end of enums.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// Encodes a value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> io::Result<Vec<u8>> {
    // Counting first is far cheaper than a buffer that grows by doubling: most of what is encoded are large byte strings.
    let size = postcard::experimental::serialized_size(value);
    size.and_then(|size| postcard::to_extend(value, Vec::with_capacity(size)))
        .map_err(|error| invalid("cannot encode", &error))
}

/// Appends an encoded value.
pub(crate) fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> io::Result<()> {
    let taken = std::mem::take(out);
    *out = postcard::to_extend(value, taken).map_err(|error| invalid("cannot encode", &error))?;
    Ok(())
}

/// Appends a number as it stands before the bytes of a string.
pub(crate) fn encode_length(length: usize, out: &mut Vec<u8>) {
    let mut rest = length;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
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
