//! Answers: whole values in the client's form, and errors.

use super::body::{Body, whole};
use super::negotiate::Format;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use raftsman_api::status::Status;
use raftsman_api::value::At;
use serde_json::Value;
use std::io::Write as _;

/// An answer.
pub(crate) type Answer = Response<Body>;

/// Bodies above this are compressed for those who ask, in bytes.
pub(crate) const GZIP_FROM: usize = 128 * 1024;

fn code(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Bytes of a content type.
pub(crate) fn bytes(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = code(status);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// A JSON value, always as JSON.
pub(crate) fn json(status: u16, value: &Value) -> Answer {
    bytes(status, "application/json", value.to_string())
}

/// JSON text in the client's form.
pub(crate) fn text(status: u16, format: Format, pretty: bool, json: Bytes) -> Answer {
    if !format.yaml && !pretty {
        return compressed(bytes(status, "application/json", json.clone()), format, json);
    }
    let Ok(value) = serde_json::from_slice::<Value>(&json) else {
        return refusal(&Status::internal("the answer is no JSON"));
    };
    let (kind, text) = if format.yaml {
        ("application/yaml", serde_yaml::to_string(&value).unwrap_or_default())
    } else {
        ("application/json", serde_json::to_string_pretty(&value).unwrap_or_default())
    };
    let body = Bytes::from(text);
    compressed(bytes(status, kind, body.clone()), format, body)
}

fn compressed(answer: Answer, format: Format, body: Bytes) -> Answer {
    if !format.gzip || body.len() < GZIP_FROM {
        return answer;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    if encoder.write_all(&body).is_err() {
        return answer;
    }
    match encoder.finish() {
        Ok(packed) => {
            let (mut parts, _) = answer.into_parts();
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Response::from_parts(parts, whole(packed))
        }
        Err(_) => answer,
    }
}

/// An error.
pub(crate) fn refusal(status: &Status) -> Answer {
    refusal_with(status, &serde_json::json!({}))
}

/// An error whose `metadata` carries something.
pub(crate) fn refusal_with(status: &Status, metadata: &Value) -> Answer {
    let mut body = status.to_json();
    body["metadata"] = metadata.clone();
    let mut answer = json(status.code, &body);
    let wait = status.details.as_ref().and_then(|details| details.int("retryAfterSeconds"));
    if let Some(seconds) = wait.filter(|seconds| *seconds > 0) {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.unsigned_abs()));
    }
    answer
}

/// Adds a request's warnings, as upstream's header `Warning: 299`.
pub(crate) fn with_warnings(mut answer: Answer, warnings: Vec<String>) -> Answer {
    for warning in warnings {
        let quoted: String = warning.chars().filter(|c| !c.is_control()).flat_map(escaped).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            answer.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
    answer
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    matches!(c, '"' | '\\').then_some('\\').into_iter().chain(std::iter::once(c))
}
