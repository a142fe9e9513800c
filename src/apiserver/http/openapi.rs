//! `/openapi/v3`: documents made once from the types, told apart by their hashes.

use super::answer::Answer;
use super::front::cached;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderValue};
use raftsman_api::openapi;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;

struct Documents {
    index: Bytes,
    by_path: BTreeMap<String, Bytes>,
}

/// Making them takes long: once in a process, when first asked for.
fn documents() -> &'static Documents {
    static DOCUMENTS: OnceLock<Documents> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let version = super::version::version();
        let version = version.get("gitVersion").and_then(Value::as_str).unwrap_or("").to_owned();
        let all = openapi::documents(&version, true);
        Documents {
            index: openapi::index(&all).to_string().into(),
            by_path: all.into_iter().map(|one| (one.path, one.value.to_string().into())).collect(),
        }
    })
}

/// The index.
pub(super) fn v3_index(headers: &HeaderMap) -> Answer {
    cached(headers, "application/json", documents().index.clone())
}

/// One group and version's document; `None` if it is not served.
pub(super) fn v3(headers: &HeaderMap, path: &str) -> Option<Answer> {
    let mut answer = cached(headers, "application/json", documents().by_path.get(path)?.clone());
    // The index names it by its hash: what was read stays true.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    Some(answer)
}
