//! The three kinds of patches: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch.

mod budget;
mod order;
mod strategic;

pub use strategic::strategic;

use crate::value::{DEEPEST, depth_within};
use budget::{Budget, too_deep};
use serde_json::Value;

/// A patch does not fit. `code` is the HTTP status that upstream answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatchError {
    /// 400 for a patch that is none, 413 for one of too many operations, 422 for one that does not apply to this object.
    pub code: u16,
    /// What is wrong.
    pub message: String,
}

impl PatchError {
    fn malformed(message: impl Into<String>) -> Self {
        Self { code: 400, message: message.into() }
    }

    fn unfit(message: impl Into<String>) -> Self {
        Self { code: 422, message: message.into() }
    }
}

/// Most operations in one JSON patch, as upstream.
const OPERATIONS_MOST: usize = 10_000;

/// Applies a JSON patch.
///
/// # Errors
/// 400 if it is no list of operations, 413 if it has too many, 422 if one does not apply, or copies too much or nests too
/// deep.
pub fn json(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    if patch.as_array().is_some_and(|operations| operations.len() > OPERATIONS_MOST) {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MOST}, got {}",
            patch.as_array().map_or(0, Vec::len)
        );
        return Err(PatchError { code: 413, message });
    }
    let operations: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| PatchError::malformed(format!("error decoding JSON patch: {error}")))?;
    let mut patched = object.clone();
    let mut budget = Budget::default();
    for (index, operation) in operations.0.iter().enumerate() {
        budget.admit(&patched, operation)?;
        // The object is a copy: a patch that fails half way leaves nothing to undo.
        json_patch::patch_unsafe(&mut patched, std::slice::from_ref(operation)).map_err(|error| {
            PatchError::unfit(format!(
                "the server rejected our request due to an error in our request: operation '/{index}' failed at path '{}': {}",
                error.path, error.kind
            ))
        })?;
    }
    Ok(patched)
}

/// Applies a merge patch: null removes, objects merge, everything else replaces.
///
/// # Errors
/// 400 if it is no object, 422 if it nests too deep.
pub fn merge(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(PatchError::malformed("a merge patch must be a JSON object"));
    }
    shallow(patch)?;
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
}

/// A patch that merges makes nothing deeper than itself or the object.
fn shallow(patch: &Value) -> Result<(), PatchError> {
    depth_within(patch, DEEPEST).map(drop).ok_or_else(too_deep)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    #[test]
    fn merge_patch_removes_by_null() {
        let object = json!({ "a": { "b": 1, "c": 2 }, "l": [1] });
        let patched = super::merge(&object, &json!({ "a": { "b": null, "d": 3 }, "l": [2, 3] })).unwrap();
        assert_eq!(patched, json!({ "a": { "c": 2, "d": 3 }, "l": [2, 3] }));
        assert_eq!(super::merge(&object, &json!([])).unwrap_err().code, 400);
    }

    #[test]
    fn json_patch_is_all_or_nothing() {
        let object = json!({ "a": 1 });
        let good = json!([{ "op": "test", "path": "/a", "value": 1 }, { "op": "add", "path": "/b", "value": 2 }]);
        assert_eq!(super::json(&object, &good).unwrap(), json!({ "a": 1, "b": 2 }));
        let bad = json!([{ "op": "add", "path": "/b", "value": 2 }, { "op": "test", "path": "/a", "value": 9 }]);
        assert_eq!(super::json(&object, &bad).unwrap_err().code, 422);
        assert_eq!(super::json(&object, &json!({ "op": "add" })).unwrap_err().code, 400);
        assert_eq!(super::json(&object, &json!([{ "op": "dance", "path": "/a" }])).unwrap_err().code, 400);
    }

    #[test]
    fn json_patches_copy_and_nest_no_more_than_they_may() {
        let copy = |from: &str, path: &str| json!({ "op": "copy", "from": from, "path": path });
        // Each doubles the object: without a limit it would be 2 to the power of 64.
        let doubling: Vec<_> = (0..64).map(|n| copy("", &format!("/x{n}"))).collect();
        let refused = super::json(&json!({ "a": "b" }), &doubling.into()).unwrap_err();
        assert_eq!(refused.code, 422);
        assert!(refused.message.contains("copy and move"), "{refused}");
        // Each makes it one level deeper.
        let deepening: Vec<_> = (0..9_000).map(|_| copy("", "/a")).collect();
        let refused = super::json(&json!({}), &deepening.into()).unwrap_err();
        assert_eq!(refused.code, 422);
        let nested = || (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
        let tower = json!([{ "op": "move", "from": "/y", "path": format!("/x{}", "/a".repeat(100)) }]);
        let refused = super::json(&json!({ "x": nested(), "y": nested() }), &tower).unwrap_err();
        assert!(refused.code == 422 && refused.message.contains("levels deep"), "{refused}");
        // What people write is far from it.
        let some = json!([copy("/a", "/b"), { "op": "move", "from": "/b", "path": "/c" }]);
        assert_eq!(super::json(&json!({ "a": [1] }), &some).unwrap(), json!({ "a": [1], "c": [1] }));
    }

    #[test]
    fn merging_patches_nest_no_deeper_than_what_is_read() {
        let deep = (0..200).fold(json!({}), |inner, _| json!({ "a": inner }));
        assert_eq!(super::merge(&json!({}), &deep).unwrap_err().code, 422);
        let (definitions, any) = (crate::registry::definitions(), crate::schema::Shape::Any);
        assert_eq!(super::strategic(definitions, &any, &json!({}), &deep).unwrap_err().code, 422);
    }
}
