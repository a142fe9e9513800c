//! Merge patches (RFC 7396) as the difference of two values.

use serde::Serialize;
use serde_json::{Map, Value};

/// The merge patch that makes `new` of `old`; `None` if they are equal. Lists are replaced as a whole.
pub fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = Map::new();
            for (key, value) in new {
                let changed = match old.get(key) {
                    Some(before) => difference(before, value),
                    None => Some(value.clone()),
                };
                patch.extend(changed.map(|changed| (key.clone(), changed)));
            }
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                patch.insert(key.clone(), Value::Null);
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        _ if old == new => None,
        _ => Some(new.clone()),
    }
}

/// The merge patch between two typed values. They come from the same type, so both or neither can be written as JSON.
pub fn between<T: Serialize>(old: &T, new: &T) -> Option<Value> {
    difference(&serde_json::to_value(old).ok()?, &serde_json::to_value(new).ok()?)
}

/// The patch of `/status` that makes `new` of `old`, wrapped for sending.
pub fn status<T: Serialize>(old: &Option<T>, new: &T) -> Option<Value> {
    let old = old.as_ref().map_or(Ok(Value::Object(Map::new())), serde_json::to_value).ok()?;
    let patch = difference(&old, &serde_json::to_value(new).ok()?)?;
    Some(Value::Object(Map::from_iter([("status".to_owned(), patch)])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn removed_fields_are_null_and_equal_ones_absent() {
        let (old, new) =
            (json!({"a": 1, "b": {"c": 1, "d": [1]}, "e": 2}), json!({"a": 1, "b": {"c": 2, "d": [1]}, "f": 3}));
        assert_eq!(difference(&old, &new), Some(json!({"b": {"c": 2}, "e": null, "f": 3})));
        assert_eq!(difference(&old, &old), None);
    }
}
