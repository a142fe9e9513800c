//! Objects as the client asked for them. Whole objects are the stored bytes; only tables and metadata decode them.

use super::answer::{self, Answer, GZIP_FROM};
use super::body::pieces;
use super::negotiate::{Format, Shape};
use super::table::{self, Include};
use crate::read::{Event, Listing};
use crate::write::Target;
use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Response};
use raftsman_api::kind::Strategy;
use raftsman_state::Object;
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Arc;

/// Pieces of a long list, in bytes.
const PIECE: usize = 64 * 1024;

/// The form of objects in an answer.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// The client's wish.
    pub format: Format,
    /// What of the object stands in a table's rows.
    pub include: Include,
    /// With line breaks.
    pub pretty: bool,
}

/// One object in its form, as JSON.
pub(crate) fn object_json(kind: &dyn Strategy, object: &Object, form: Form, now: &str) -> Bytes {
    match form.format.shape {
        Shape::Object => object.json.clone(),
        Shape::Metadata => {
            let value: Value = serde_json::from_slice(&object.json).unwrap_or_default();
            table::metadata(&value).to_string().into()
        }
        Shape::Table => one_row(kind, object, form.include, now, true),
    }
}

fn one_row(kind: &dyn Strategy, object: &Object, include: Include, now: &str, columns: bool) -> Bytes {
    let metadata = json!({ "resourceVersion": object.revision.to_string() });
    let row = table::row(kind, object, include, now);
    format!("{}{row}]}}", table::head(kind, &metadata, columns)).into()
}

/// One object as an answer.
pub(crate) fn object(status: u16, kind: &dyn Strategy, object: &Object, form: Form, now: &str) -> Answer {
    answer::text(status, form.format, form.pretty, object_json(kind, object, form, now))
}

/// The JSON of a list, made piece by piece.
struct Pieces {
    kind: &'static dyn Strategy,
    form: Form,
    now: String,
    items: std::vec::IntoIter<Arc<Object>>,
    head: Option<String>,
    first: bool,
    ended: bool,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut out = BytesMut::with_capacity(PIECE + PIECE / 4);
        out.extend_from_slice(self.head.take().unwrap_or_default().as_bytes());
        while out.len() < PIECE {
            let Some(object) = self.items.next() else {
                out.extend_from_slice(b"]}\n");
                self.ended = true;
                break;
            };
            if !std::mem::take(&mut self.first) {
                out.extend_from_slice(b",");
            }
            match self.form.format.shape {
                Shape::Table => {
                    let row = table::row(self.kind, &object, self.form.include, &self.now);
                    out.extend_from_slice(row.to_string().as_bytes());
                }
                _ => out.extend_from_slice(&object_json(self.kind, &object, self.form, &self.now)),
            }
        }
        Some(out.freeze())
    }
}

/// A page as an answer.
pub(crate) fn list(target: &Target, listing: Listing, form: Form, now: String) -> Answer {
    let info = target.info();
    let mut metadata = json!({ "resourceVersion": listing.revision.to_string() });
    if let Some(token) = listing.token {
        metadata["continue"] = token.into();
    }
    if let Some(remaining) = listing.remaining {
        metadata["remainingItemCount"] = remaining.into();
    }
    let (kind, api_version) = match form.format.shape {
        Shape::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        _ => (format!("{}List", info.kind), info.api_version()),
    };
    let head = match form.format.shape {
        Shape::Table => table::head(target.kind, &metadata, true),
        _ => format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":["),
    };
    let size: usize = listing.items.iter().map(|object| object.json.len()).sum();
    let pieces = Pieces {
        kind: target.kind,
        form,
        now,
        items: listing.items.into_iter(),
        head: Some(head),
        first: true,
        ended: false,
    };
    if form.format.yaml || form.pretty {
        let all: Vec<u8> = pieces.flatten().collect();
        return answer::text(200, form.format, form.pretty, all.into());
    }
    if size < PIECE {
        let all: Vec<u8> = pieces.flatten().collect();
        return answer::bytes(200, "application/json", all);
    }
    streamed(pieces, form.format.gzip && size >= GZIP_FROM)
}

fn streamed(source: impl Iterator<Item = Bytes> + Send + 'static, gzip: bool) -> Answer {
    let body = if gzip { pieces(stream::iter(packed(source))) } else { pieces(stream::iter(source)) };
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// The same bytes in gzip, piece by piece.
fn packed(mut source: impl Iterator<Item = Bytes>) -> impl Iterator<Item = Bytes> {
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    std::iter::from_fn(move || {
        loop {
            let mut packing = encoder.take()?;
            match source.next() {
                // Writing to a vector does not fail.
                Some(bytes) => {
                    let _ = packing.write_all(&bytes);
                    let ready = std::mem::take(packing.get_mut());
                    encoder = Some(packing);
                    if !ready.is_empty() {
                        return Some(Bytes::from(ready));
                    }
                }
                None => return packing.finish().ok().map(Bytes::from),
            }
        }
    })
}

/// A line of a watch.
pub(crate) fn event_line(kind: &dyn Strategy, event: &Event, form: Form, now: &str, columns: bool) -> Bytes {
    let object = match form.format.shape {
        Shape::Table => one_row(kind, &event.object, form.include, now, columns),
        _ => object_json(kind, &event.object, form, now),
    };
    line(event.kind.word(), &object)
}

/// A line of a watch: any event.
pub(crate) fn line(word: &str, object: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(object.len() + 40);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out.freeze()
}

/// A bookmark's line.
pub(crate) fn bookmark(kind: &dyn Strategy, revision: u64, initial_end: bool, form: Form) -> Bytes {
    let mut metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
    if initial_end {
        metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    let info = kind.info();
    let object = match form.format.shape {
        Shape::Table => format!("{}]}}", table::head(kind, &metadata, false)),
        Shape::Metadata => {
            json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata }).to_string()
        }
        Shape::Object => {
            json!({ "kind": info.kind, "apiVersion": info.api_version(), "metadata": metadata }).to_string()
        }
    };
    line("BOOKMARK", object.as_bytes())
}
