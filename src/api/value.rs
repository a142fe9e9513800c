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
