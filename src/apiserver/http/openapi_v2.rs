//! `/openapi/v2`: one document, as JSON and as the protobuf that clients written in Go ask for. kubectl 1.27 and 1.28 begin with it,
//! later ones validate by it what they do not find in v3.

use super::answer::Answer;
use super::front::cached;
use super::negotiate::accepted;
use bytes::Bytes;
use http::HeaderMap;
use raftsman_api::openapi;
use raftsman_api::status::Status;
use serde_json::Value;
use std::sync::OnceLock;

const JSON: &str = "application/json";
/// What clients ask for; `@` may not stand in a content type, so the answer has the other.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

struct Encodings {
    json: Bytes,
    protobuf: Bytes,
}

/// Making it takes long: once in a process, when first asked for.
fn encodings() -> &'static Encodings {
    static ENCODINGS: OnceLock<Encodings> = OnceLock::new();
    ENCODINGS.get_or_init(|| {
        let version = super::version::version();
        let version = version.get("gitVersion").and_then(Value::as_str).unwrap_or_default();
        let document = openapi::swagger(&openapi::documents(version, true), version);
        Encodings { json: document.to_string().into(), protobuf: openapi::protobuf(&document).into() }
    })
}

/// The document in the form that the client likes best.
///
/// # Errors
/// 406 for any other form.
pub(super) fn v2(headers: &HeaderMap) -> Result<Answer, Status> {
    for media in accepted(headers) {
        match media.kind.as_str() {
            "*/*" | "application/*" | JSON => return Ok(cached(headers, JSON, encodings().json.clone())),
            ASKED | PROTOBUF => return Ok(cached(headers, PROTOBUF, encodings().protobuf.clone())),
            _ => {}
        }
    }
    Err(Status::new(406, "NotAcceptable", format!("only the following media types are accepted: {JSON}, {ASKED}")))
}
