//! The three kinds of patches: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch.

mod order;
mod strategic;

pub use strategic::strategic;

use serde_json::Value;

/// A patch does not fit. `code` is the HTTP status that upstream answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatchError {
    /// 400 for a patch that is none, 422 for one that does not apply to this object.
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
/// 400 if it is no list of operations, 422 if one does not apply (the object is then as before).
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
    json_patch::patch(&mut patched, &operations).map_err(|error| {
        PatchError::unfit(format!("the server rejected our request due to an error in our request: {error}"))
    })?;
    Ok(patched)
}

/// Applies a merge patch: null removes, objects merge, everything else replaces.
///
/// # Errors
/// 400 if it is no object.
pub fn merge(object: &Value, patch: &Value) -> Result<Value, PatchError> {
    if !patch.is_object() {
        return Err(PatchError::malformed("a merge patch must be a JSON object"));
    }
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
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
}
