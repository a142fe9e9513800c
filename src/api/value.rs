//! Reading and filling JSON objects by dotted paths of fields (never of map keys that may hold dots).

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// Reading at dotted paths; what is not there reads as null, empty or `None`.
pub trait At {
    /// The value at a path such as `spec.template`; null if any step is missing.
    fn at(&self, path: &str) -> &Value;

    /// The string there, or the empty string.
    fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or("")
    }

    /// The integer there.
    fn int(&self, path: &str) -> Option<i64> {
        self.at(path).as_i64()
    }

    /// The boolean there; absent is false.
    fn flag(&self, path: &str) -> bool {
        self.at(path).as_bool().unwrap_or(false)
    }

    /// The list there, or an empty one.
    fn list(&self, path: &str) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// The object there, if it is one.
    fn map(&self, path: &str) -> Option<&Map<String, Value>> {
        self.at(path).as_object()
    }

    /// Something other than null is there.
    fn has(&self, path: &str) -> bool {
        !self.at(path).is_null()
    }
}

impl At for Value {
    fn at(&self, path: &str) -> &Value {
        path.split('.').try_fold(self, |value, step| value.get(step)).unwrap_or(&NULL)
    }
}

/// The object at a path, made on the way where it is missing. `None` if something else stands there.
pub fn ensure<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    let mut here = value;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let map = here.as_object_mut()?;
        let next = map.entry(step).or_insert_with(|| Value::Object(Map::new()));
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        here = next;
    }
    here.as_object_mut()
}

/// Splits `a.b.c` into `a.b` and `c`.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// Sets the value at a path, making its parents; null is no value and removes what is there.
pub fn set(value: &mut Value, path: &str, new: impl Into<Value>) {
    let new = new.into();
    if new.is_null() {
        remove(value, path);
        return;
    }
    let (parent, last) = split(path);
    if let Some(map) = ensure(value, parent) {
        map.insert(last.to_owned(), new);
    }
}

/// Sets the value at a path unless one is there.
pub fn set_default(value: &mut Value, path: &str, new: impl Into<Value>) {
    if value.at(path).is_null() {
        set(value, path, new);
    }
}

/// Removes the value at a path.
pub fn remove(value: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path);
    let mut here = value;
    for step in parent.split('.').filter(|step| !step.is_empty()) {
        here = here.get_mut(step)?;
    }
    here.as_object_mut()?.remove(last)
}

/// Makes the value at a path equal to the other object's, absent if it is absent there.
pub fn copy(value: &mut Value, from: &Value, path: &str) {
    match from.at(path) {
        Value::Null => {
            remove(value, path);
        }
        found => set(value, path, found.clone()),
    }
}

/// The value at a dotted path, to be changed.
pub fn at_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |value, step| value.get_mut(step))
}

/// The items of the list at a path, to be changed.
pub fn list_mut<'a>(value: &'a mut Value, path: &str) -> &'a mut [Value] {
    at_mut(value, path).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

/// Most levels of lists and objects within one another that a reader of JSON here takes.
pub const DEEPEST: usize = 127;

/// How many levels of lists and objects a value has, 0 for a scalar; `None` above `most`. Looks no deeper than that.
pub fn depth_within(value: &Value, most: usize) -> Option<usize> {
    fn below<'a>(mut inner: impl Iterator<Item = &'a Value>, most: usize) -> Option<usize> {
        let left = most.checked_sub(1)?;
        inner.try_fold(0, |deepest, value| Some(deepest.max(depth_within(value, left)?))).map(|depth| depth + 1)
    }
    match value {
        Value::Array(items) => below(items.iter(), most),
        Value::Object(map) => below(map.values(), most),
        _ => Some(0),
    }
}

/// How many bytes a value takes as JSON; `None` above `most`. Counts no further than that.
pub fn size_within(value: &Value, most: usize) -> Option<usize> {
    struct Left(usize);

    impl std::io::Write for Left {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut left = Left(most);
    serde_json::to_writer(&mut left, value).ok()?;
    Some(most - left.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_too_deep_can_be_read_back() {
        let nested = |levels| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        for (levels, read) in [(0, true), (1, true), (DEEPEST, true), (DEEPEST + 1, false)] {
            let value = nested(levels);
            assert_eq!(depth_within(&value, DEEPEST), read.then_some(levels));
            assert_eq!(serde_json::from_str::<Value>(&value.to_string()).is_ok(), read, "{levels}");
        }
        let wide = serde_json::json!({ "a": { "b": [1, [2]] }, "c": 3 });
        assert_eq!(depth_within(&wide, 9), Some(4));
        assert_eq!(size_within(&wide, 100), Some(wide.to_string().len()));
        assert_eq!(size_within(&wide, wide.to_string().len() - 1), None);
    }
}
