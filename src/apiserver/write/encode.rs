//! From an object to what the store keeps: the bytes with a place for the revision, and what is known without decoding.

use super::Target;
use super::plan::Draft;
use raftsman_api::kind::Strategy;
use raftsman_api::meta;
use raftsman_api::status::Status;
use raftsman_api::value::{At, DEEPEST, depth_within};
use raftsman_state::{Body, Meta, Owner};
use serde_json::Value;
use std::sync::Arc;

/// An object ready for the store, under the target's key.
///
/// # Errors
/// 422 if it could not be read again, 500 if it cannot be written as JSON.
pub(super) fn draft(target: &Target, object: &Value) -> Result<Draft, Status> {
    if depth_within(object, DEEPEST).is_none() {
        let message = format!("the object must not be nested more than {DEEPEST} levels deep");
        return Err(Status::new(422, "Invalid", message));
    }
    let failed = |error: serde_json::Error| Status::internal(format!("{target:?} cannot be written as JSON: {error}"));
    Ok(Draft { key: target.key(), meta: Arc::new(extract(target.kind, object)), body: body(object).map_err(failed)? })
}

/// What must be known of an object without decoding it.
pub(super) fn extract(kind: &dyn Strategy, object: &Value) -> Meta {
    let pairs = |entries: Vec<(&'static str, String)>| {
        entries.into_iter().map(|(name, value)| (Arc::from(name), Arc::from(value))).collect()
    };
    let owner = |owner: meta::OwnerRef<'_>| Owner {
        uid: owner.uid.into(),
        controller: owner.controller,
        block_deletion: owner.block_deletion,
    };
    Meta {
        uid: meta::uid(object).into(),
        labels: meta::labels(object).into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        owners: meta::owners(object).into_iter().map(owner).collect(),
        fields: pairs(kind.fields(object)),
        index: pairs(kind.index(object)),
        deleting: meta::is_deleting(object),
    }
}

/// Members of `metadata` that stand first, in this order; the revision's place follows them.
const FIRST: &[&str] = &["name", "generateName", "namespace", "uid"];

/// The JSON, written so that the place of the revision is known.
fn body(object: &Value) -> Result<Body, serde_json::Error> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    for name in ["kind", "apiVersion"] {
        member(&mut out, name, object.at(name))?;
        out.push(b',');
    }
    out.extend_from_slice(b"\"metadata\":{");
    let metadata = object.get("metadata").and_then(Value::as_object);
    for name in FIRST {
        if let Some(value) = metadata.and_then(|metadata| metadata.get(*name)) {
            member(&mut out, name, value)?;
            out.push(b',');
        }
    }
    out.extend_from_slice(b"\"resourceVersion\":\"");
    let at = out.len();
    out.push(b'"');
    for (name, value) in metadata.into_iter().flatten() {
        if !FIRST.contains(&name.as_str()) && name != "resourceVersion" {
            out.push(b',');
            member(&mut out, name, value)?;
        }
    }
    out.push(b'}');
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
            out.push(b',');
            member(&mut out, name, value)?;
        }
    }
    out.push(b'}');
    Ok(Body { json: out.into(), at: u32::try_from(at).ok() })
}

fn member(out: &mut Vec<u8>, name: &str, value: &Value) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *out, name)?;
    out.push(b':');
    serde_json::to_writer(out, value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_state::{Key, Object};
    use serde_json::json;

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let target = Target::named("", "v1", "configmaps", "d", "c").unwrap();
        let nested = |levels| (0..levels).fold(json!({}), |inner, _| json!({ "metadata": inner }));
        assert!(draft(&target, &nested(DEEPEST - 1)).is_ok());
        assert_eq!(draft(&target, &nested(DEEPEST)).unwrap_err().code, 422);
    }

    #[test]
    fn the_revision_goes_into_metadata_wherever_else_its_name_stands() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "data": { "a": "\"resourceVersion\":\"\"" },
            "metadata": { "annotations": { "x": "\"resourceVersion\":\"\"" }, "name": "c", "resourceVersion": "7", "uid": "u" },
        });
        let stored = Object::new(Key::new(&"configmaps".into(), "d", "c"), Arc::default(), &body(&object).unwrap(), 42);
        let read: Value = serde_json::from_slice(&stored.json).unwrap();
        let mut expected = object;
        expected["metadata"]["resourceVersion"] = "42".into();
        assert_eq!(read, expected);
        assert_eq!(stored.body(), body(&expected).unwrap());
    }
}
