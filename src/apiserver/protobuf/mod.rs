//! Kubernetes' protobuf, as clients send it (typed Go clients prefer it); answers are JSON, which they take too.
//!
//! A body is `k8s\0` and a `runtime.Unknown`: the kind's name and the message's bytes. Messages are read by the shapes of
//! the kinds' own types and a table of field numbers, into the JSON that the client could have sent instead.

mod message;
mod numbers;
mod wire;

use message::Reader;
use raftsman_api::registry;
use serde_json::{Value, json};
use wire::Wire;

/// Its content type.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What a body is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtobufError {
    /// It does not begin as one.
    #[error("it does not begin with k8s\\0")]
    Prefix,
    /// It ends within a field, or a field is none.
    #[error("it is damaged")]
    Damaged,
    /// Messages within messages beyond any type's depth.
    #[error("it is nested too deeply")]
    Depth,
    /// A kind that is not known here.
    #[error("kind {1} of {0} is not known: send JSON")]
    Kind(String, String),
}

/// Reads a body.
///
/// # Errors
/// It is none, or of a kind that is not known.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let unknown = body.strip_prefix(b"k8s\0").ok_or(ProtobufError::Prefix)?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &b""[..]);
    for field in wire::fields(unknown) {
        match field? {
            (1, Wire::Bytes(meta)) => {
                for field in wire::fields(meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => version = String::from_utf8_lossy(text).into_owned(),
                        (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut value = match review(&version, &kind, raw)? {
        Some(review) => review,
        None => {
            let name = definition(&version, &kind).ok_or_else(|| ProtobufError::Kind(version.clone(), kind.clone()))?;
            Reader::new(registry::definitions()).message(&name, raw)?
        }
    };
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".to_owned(), version.into());
        map.insert("kind".to_owned(), kind.into());
    }
    Ok(value)
}

/// The official name of a kind's type; `None` if there is none here.
fn definition(version: &str, kind: &str) -> Option<String> {
    let (group, number) = version.rsplit_once('/').unwrap_or(("", version));
    let group = match group.split('.').next() {
        None | Some("") => "core",
        Some(group) => group,
    };
    let candidates =
        [format!("io.k8s.api.{group}.{number}.{kind}"), format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}")];
    // Without numbers nothing of it could be read, and it must not seem empty.
    let known = |name: &String| registry::definitions().by_name(name).is_some() && numbers::of(name).is_some();
    candidates.into_iter().find(known)
}

/// Reviews are answered, not stored: they have no shape here.
fn review(version: &str, kind: &str, raw: &[u8]) -> Result<Option<Value>, ProtobufError> {
    const RESOURCE: &[&str] = &["namespace", "verb", "group", "version", "resource", "subresource", "name"];
    let texts = |bytes: &[u8], names: &[&str]| -> Result<Value, ProtobufError> {
        let mut out = json!({});
        for field in wire::fields(bytes) {
            if let (number, Wire::Bytes(text)) = field?
                && let Some(name) = names.get((number as usize).wrapping_sub(1))
            {
                out[*name] = String::from_utf8_lossy(text).into();
            }
        }
        Ok(out)
    };
    let mut review = json!({ "metadata": {} });
    match (version, kind) {
        ("authentication.k8s.io/v1", "SelfSubjectReview") => return Ok(Some(review)),
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview" | "SelfSubjectRulesReview") => {}
        _ => return Ok(None),
    }
    for field in wire::fields(raw) {
        let (2, Wire::Bytes(spec)) = field? else {
            continue;
        };
        review["spec"] = json!({});
        for field in wire::fields(spec) {
            match (kind, field?) {
                ("SelfSubjectAccessReview", (1, Wire::Bytes(bytes))) => {
                    review["spec"]["resourceAttributes"] = texts(bytes, RESOURCE)?;
                }
                ("SelfSubjectAccessReview", (2, Wire::Bytes(bytes))) => {
                    review["spec"]["nonResourceAttributes"] = texts(bytes, &["path", "verb"])?;
                }
                (_, (1, Wire::Bytes(text))) => review["spec"]["namespace"] = String::from_utf8_lossy(text).into(),
                _ => {}
            }
        }
    }
    Ok(Some(review))
}

#[cfg(test)]
mod tests;
