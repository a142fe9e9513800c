//! Strategic merge patch: lists merge by the keys of their types, directives say the rest.
//!
//! Upstream's `strategicpatch`: <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>.

use super::order::{follows, interleaved};
use super::{PatchError, shallow};
use crate::schema::{Definitions, Field, PatchStrategy, Shape};
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Applies `patch` to `object`, which has this shape.
///
/// # Errors
/// 400 for a malformed directive or an item without its merge key, 422 if the patch nests too deep.
pub fn strategic(definitions: &Definitions, shape: &Shape, object: &Value, patch: &Value) -> Result<Value, PatchError> {
    shallow(patch)?;
    let Some(patch) = patch.as_object() else {
        return Err(PatchError::malformed("a strategic merge patch must be a JSON object"));
    };
    let merger = Merger { definitions };
    let original = object.as_object().cloned().unwrap_or_default();
    Ok(Value::Object(merger.maps(shape, original, patch)?))
}

struct Merger<'a> {
    definitions: &'a Definitions,
}

/// How one field's list merges.
struct ListRule {
    merges: bool,
    key: &'static str,
}

impl<'a> Merger<'a> {
    fn field(&self, shape: &Shape, name: &str) -> Option<&'a Field> {
        match shape {
            Shape::Struct(index) => self.definitions.get(*index)?.fields.get(name),
            _ => None,
        }
    }

    fn child<'s>(&self, shape: &'s Shape, name: &str) -> &'s Shape
    where
        'a: 's,
    {
        match shape {
            Shape::Map(values) => values,
            _ => self.field(shape, name).map_or(&Shape::Any, |field| &field.shape),
        }
    }

    fn list_rule(&self, shape: &Shape, name: &str) -> ListRule {
        let rule = self.field(shape, name).and_then(|field| field.rule);
        ListRule {
            merges: rule
                .is_some_and(|rule| matches!(rule.strategy, PatchStrategy::Merge | PatchStrategy::MergeRetainKeys)),
            key: rule.map_or("", |rule| rule.merge_key),
        }
    }

    /// Merges `patch` into `original`.
    fn maps(
        &self,
        shape: &Shape,
        mut original: Map<String, Value>,
        patch: &Map<String, Value>,
    ) -> Result<Map<String, Value>, PatchError> {
        match patch.get(DIRECTIVE).map(Value::as_str) {
            None | Some(Some("merge")) => {}
            Some(Some("replace")) => {
                let mut replaced = patch.clone();
                replaced.remove(DIRECTIVE);
                return Ok(without_nulls(replaced));
            }
            Some(Some("delete")) => return Ok(Map::new()),
            Some(other) => return Err(unknown_directive(other, patch.get(DIRECTIVE))),
        }
        if let Some(kept) = patch.get(RETAIN_KEYS) {
            let kept = kept.as_array().ok_or_else(|| PatchError::malformed("$retainKeys must be a list"))?;
            let keeps = |name: &str| kept.iter().any(|key| key == name);
            if let Some(name) = patch.iter().find_map(|(name, value)| {
                // What a null takes away is not kept, and need not be listed.
                (!value.is_null() && !name.starts_with('$') && !keeps(name)).then_some(name)
            }) {
                let message = format!("$retainKeys must list every field of its patch, but {name} is missing");
                return Err(PatchError::malformed(message));
            }
            original.retain(|name, _| keeps(name));
        }
        for (name, value) in patch {
            if let Some(field) = name.strip_prefix(DELETE_FROM) {
                delete_scalars(&mut original, field, value)?;
            } else if let Some(field) = name.strip_prefix(ORDER) {
                if let (None, Some(Value::Array(here))) = (patch.get(field), original.get(field)) {
                    let sorted = self.ordered(shape, field, here.clone(), (&[], value), here)?;
                    original.insert(field.to_owned(), Value::Array(sorted));
                }
            } else if !matches!(name.as_str(), DIRECTIVE | RETAIN_KEYS) {
                self.set(shape, &mut original, patch, name, value)?;
            }
        }
        Ok(original)
    }

    fn set(
        &self,
        shape: &Shape,
        original: &mut Map<String, Value>,
        patch: &Map<String, Value>,
        name: &str,
        value: &Value,
    ) -> Result<(), PatchError> {
        match value {
            Value::Null => {
                original.remove(name);
            }
            Value::Object(patch) => {
                let here = match original.remove(name) {
                    Some(Value::Object(map)) => map,
                    _ => Map::new(),
                };
                if patch.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                    return Ok(());
                }
                let merged = self.maps(self.child(shape, name), here, patch)?;
                original.insert(name.to_owned(), Value::Object(merged));
            }
            Value::Array(items) => {
                let here = match original.remove(name) {
                    Some(Value::Array(list)) => list,
                    _ => Vec::new(),
                };
                let mut merged = self.list(shape, name, here.clone(), items)?;
                if let Some(order) = patch.get(&format!("{ORDER}{name}")) {
                    merged = self.ordered(shape, name, merged, (items, order), &here)?;
                }
                original.insert(name.to_owned(), Value::Array(merged));
            }
            scalar => {
                original.insert(name.to_owned(), scalar.clone());
            }
        }
        Ok(())
    }

    fn list(&self, shape: &Shape, name: &str, original: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>, PatchError> {
        let rule = self.list_rule(shape, name);
        if !rule.merges {
            return Ok(patch.iter().filter(|item| item.get(DIRECTIVE).is_none()).map(clean).collect());
        }
        if rule.key.is_empty() {
            return Ok(interleaved(union(&original, patch), patch, &original, ""));
        }
        let item_shape = match self.child(shape, name) {
            Shape::List(items) => items,
            _ => &Shape::Any,
        };
        self.keyed(item_shape, rule.key, original, patch)
    }

    fn keyed(
        &self,
        shape: &Shape,
        key: &str,
        mut original: Vec<Value>,
        patch: &[Value],
    ) -> Result<Vec<Value>, PatchError> {
        let is_replace = |item: &&Value| item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace");
        if patch.iter().any(|item| is_replace(&item)) {
            // The rest of the patch is the list now.
            return Ok(patch.iter().filter(|item| !is_replace(item)).map(clean).collect());
        }
        // What goes has gone before anything is merged.
        let mut merges = Vec::new();
        for item in patch {
            let Some(map) = item.as_object() else {
                return Err(PatchError::malformed(format!("a list merged by {key} must hold objects only")));
            };
            let Some(id) = map.get(key) else {
                let shown = Value::Object(map.clone());
                return Err(PatchError::malformed(format!("map: {shown} does not contain declared merge key: {key}")));
            };
            match map.get(DIRECTIVE).map(Value::as_str) {
                None | Some(Some("merge")) => merges.push((id, map)),
                Some(Some("delete")) => original.retain(|have| have.get(key) != Some(id)),
                Some(other) => return Err(unknown_directive(other, map.get(DIRECTIVE))),
            }
        }
        let mut merged = original.clone();
        for (id, map) in &merges {
            match merged.iter_mut().find(|have| have.get(key) == Some(*id)) {
                Some(have) => {
                    let here = have.as_object().cloned().unwrap_or_default();
                    *have = Value::Object(self.maps(shape, here, map)?);
                }
                None => merged.push(Value::Object(self.maps(shape, Map::new(), map)?)),
            }
        }
        let wanted: Vec<Value> = merges.iter().map(|(_, map)| Value::Object((*map).clone())).collect();
        Ok(interleaved(merged, &wanted, &original, key))
    }

    /// `$setElementOrder`: the items that it lists stand in that order; the others keep theirs, and their places if they can.
    fn ordered(
        &self,
        shape: &Shape,
        name: &str,
        merged: Vec<Value>,
        (patch, order): (&[Value], &Value),
        original: &[Value],
    ) -> Result<Vec<Value>, PatchError> {
        let order = order.as_array().ok_or_else(|| PatchError::malformed(format!("{ORDER}{name} must be a list")))?;
        let rule = self.list_rule(shape, name);
        if !rule.merges {
            return Ok(merged);
        }
        let kept: Vec<Value> = patch.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect();
        if !order.is_empty() && !follows(&kept, order, rule.key) {
            let (patch, order) = (Value::from(kept), Value::from(order.clone()));
            let message =
                format!("the order in the patch's list {name}, {patch}, does not match {ORDER}{name}, {order}");
            return Err(PatchError::malformed(message));
        }
        Ok(interleaved(merged, order, original, rule.key))
    }
}

fn unknown_directive(directive: Option<&str>, value: Option<&Value>) -> PatchError {
    let shown = directive.map_or_else(|| value.unwrap_or(&Value::Null).to_string(), str::to_owned);
    PatchError::malformed(format!("unknown patch type found: {shown}"))
}

fn delete_scalars(original: &mut Map<String, Value>, field: &str, values: &Value) -> Result<(), PatchError> {
    let values =
        values.as_array().ok_or_else(|| PatchError::malformed(format!("{DELETE_FROM}{field} must be a list")))?;
    if let Some(Value::Array(list)) = original.get_mut(field) {
        list.retain(|have| !values.contains(have));
        if list.is_empty() {
            original.remove(field);
        }
    }
    Ok(())
}

fn union(original: &[Value], patch: &[Value]) -> Vec<Value> {
    let mut union = Vec::<Value>::with_capacity(original.len());
    for item in original.iter().chain(patch) {
        if !union.contains(item) {
            union.push(item.clone());
        }
    }
    union
}

fn without_nulls(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(name, value)| !value.is_null() && !name.starts_with('$'))
        .map(|(name, value)| (name, clean(&value)))
        .collect()
}

/// A value of a patch as it stands in an object: nulls and directives gone.
fn clean(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_nulls(map.clone())),
        Value::Array(items) => Value::Array(items.iter().map(clean).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
#[path = "strategic_tests.rs"]
mod tests;
