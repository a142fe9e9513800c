//! What differs between two objects, path by path.

use super::Set;
use crate::registry;
use crate::schema::{Definitions, FieldRule, ListKind, Shape, key_default};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The paths that came, changed and went.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

/// Structs that upstream's types hold by value: they are there in an empty object too, so nobody brings them.
const BY_VALUE: &[&str] =
    &["metadata", "spec", "status", "template", "strategy", "containers", "source", "loadBalancer"];

/// Compares two objects of a shape; without an old one, everything came.
pub fn compare(shape: &Shape, old: Option<&Value>, new: &Value) -> Comparison {
    let mut out = Comparison::default();
    let walk = Walk { definitions: registry::definitions() };
    let empty = Value::Object(Map::new());
    walk.value(shape, None, Some(old.unwrap_or(&empty)), Some(new), &mut out, old.is_none());
    out
}

/// Every path of an object.
pub fn all_paths(shape: &Shape, object: &Value) -> Set {
    let mut out = Comparison::default();
    let walk = Walk { definitions: registry::definitions() };
    walk.value(shape, None, None, Some(object), &mut out, false);
    out.added
}

/// How a value falls into parts.
pub enum Parts<'a> {
    Leaf,
    Fields(BTreeMap<&'a str, &'a Value>),
    Items(BTreeMap<String, &'a Value>),
}

/// The step of a list's item.
pub fn item_step(kind: ListKind, item: &Value) -> String {
    match kind {
        ListKind::Map(keys) => {
            let value = |key| item.get(key).cloned().or_else(|| key_default(key).map(Value::from));
            let found = keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?)));
            format!("k:{}", Value::Object(found.collect()))
        }
        _ => format!("v:{item}"),
    }
}

/// How ownership sees a list or map.
pub fn list_kind(rule: Option<&FieldRule>) -> ListKind {
    rule.map_or(ListKind::Untagged, |rule| rule.list)
}

pub struct Walk {
    pub definitions: &'static Definitions,
}

impl Walk {
    /// The parts of a value of a shape.
    pub fn parts<'a>(&self, shape: &Shape, rule: Option<&FieldRule>, value: &'a Value) -> Parts<'a> {
        let fields = |map: &'a Map<String, Value>| Parts::Fields(map.iter().map(|(k, v)| (k.as_str(), v)).collect());
        let kind = list_kind(rule);
        match (shape, value) {
            (_, Value::Object(map)) if map.is_empty() => Parts::Leaf,
            (_, Value::Array(items)) if items.is_empty() => Parts::Leaf,
            (Shape::Struct(index), Value::Object(map)) => {
                let atomic = self.definitions.get(*index).is_some_and(|found| found.atomic);
                if atomic { Parts::Leaf } else { fields(map) }
            }
            (Shape::Map(_), Value::Object(map)) if kind != ListKind::AtomicMap => fields(map),
            (Shape::List(_), Value::Array(items)) if matches!(kind, ListKind::Map(_) | ListKind::Set) => {
                Parts::Items(items.iter().map(|item| (item_step(kind, item), item)).collect())
            }
            _ => Parts::Leaf,
        }
    }

    /// The shape and rule of a field.
    pub fn field<'a>(&'a self, shape: &'a Shape, name: &str) -> (&'a Shape, Option<&'static FieldRule>) {
        match shape {
            Shape::Struct(index) => {
                let field = self.definitions.get(*index).and_then(|found| found.fields.get(name));
                field.map_or((&Shape::Any, None), |field| (&field.shape, field.rule))
            }
            Shape::Map(inner) => (inner, None),
            _ => (&Shape::Any, None),
        }
    }

    /// `by_value`: the parent stands in an empty object too.
    fn value(
        &self,
        shape: &Shape,
        rule: Option<&FieldRule>,
        old: Option<&Value>,
        new: Option<&Value>,
        out: &mut Comparison,
        by_value: bool,
    ) {
        let parts = |value: Option<&'_ Value>| -> bool {
            value.is_some_and(|value| !matches!(self.parts(shape, rule, value), Parts::Leaf))
        };
        if !parts(old) && !parts(new) {
            match (old, new) {
                (None, Some(_)) => out.added.member = true,
                (Some(_), None) => out.removed.member = true,
                (Some(old), Some(new)) if old != new => out.modified.member = true,
                _ => {}
            }
            return;
        }
        match (old, new) {
            (None, Some(_)) if !by_value => out.added.member = true,
            (Some(_), None) => out.removed.member = true,
            _ => {}
        }
        let null = Value::Null;
        let (old_parts, new_parts) =
            (self.parts(shape, rule, old.unwrap_or(&null)), self.parts(shape, rule, new.unwrap_or(&null)));
        let mut steps: BTreeMap<String, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
        for (found, first) in [(old_parts, true), (new_parts, false)] {
            let pairs: Vec<(String, &Value)> = match found {
                Parts::Leaf => Vec::new(),
                Parts::Fields(map) => map.into_iter().map(|(name, value)| (format!("f:{name}"), value)).collect(),
                Parts::Items(items) => items.into_iter().collect(),
            };
            for (step, value) in pairs {
                let entry = steps.entry(step).or_default();
                *(if first { &mut entry.0 } else { &mut entry.1 }) = Some(value);
            }
        }
        for (step, (old, new)) in steps {
            let mut below = Comparison::default();
            match step.strip_prefix("f:") {
                Some(name) => {
                    let (shape, rule) = self.field(shape, name);
                    let inner = by_value && BY_VALUE.contains(&name);
                    self.value(shape, rule, old, new, &mut below, inner);
                }
                None => {
                    let items = if let Shape::List(items) = shape { items } else { &Shape::Any };
                    self.value(items, None, old, new, &mut below, false);
                }
            }
            for (set, found) in
                [(&mut out.added, below.added), (&mut out.modified, below.modified), (&mut out.removed, below.removed)]
            {
                if !found.is_empty() {
                    *set.child(step.clone()) = found;
                }
            }
        }
    }
}
