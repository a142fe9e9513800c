//! The patch of client-side apply: what is said now, and the removal of what was said before and no longer is.

use raftsman_api::registry;
use raftsman_api::schema::{FieldRule, PatchStrategy, Shape};
use serde_json::{Map, Value, json};

/// The annotation with what was applied last (kubectl's own, so that both can follow each other).
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The shape of a built-in kind, by which its lists merge; `None` for others, of which nobody here knows how.
pub fn shape(group: &str, version: &str, kind: &str) -> Option<&'static Shape> {
    registry::by_kind(group, version, kind).map(|strategy| registry::shape(strategy.info()))
}

/// The patch from what was applied `last` to what shall be `now`, for what is `live`. With a shape it is a strategic one: lists
/// merge as their types say; else it is a merge patch: they are replaced.
pub fn three_way(last: &Value, live: &Value, now: &Value, shape: Option<&Shape>) -> Value {
    Value::Object(objects(last, live, now, shape))
}

fn objects(last: &Value, live: &Value, now: &Value, shape: Option<&Shape>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, value) in now.as_object().into_iter().flatten() {
        let (inner, rule) = field(shape, name);
        let (last, live) = (&last[name], &live[name]);
        let said = match value {
            Value::Object(_) if rule.is_some_and(|rule| rule.strategy == PatchStrategy::RetainKeys) => {
                Value::Object(retaining(last, live, value, inner))
            }
            Value::Object(_) => Value::Object(objects(last, live, value, inner)),
            Value::Array(items) => match rule {
                Some(rule) if merges(rule) && rule.merge_key.is_empty() => {
                    let gone: Vec<&Value> = each(last).filter(|item| !items.contains(item)).collect();
                    if !gone.is_empty() {
                        patch.insert(format!("$deleteFromPrimitiveList/{name}"), json!(gone));
                    }
                    value.clone()
                }
                Some(rule) if merges(rule) => list(last, live, items, rule, inner),
                _ => value.clone(),
            },
            other => other.clone(),
        };
        patch.insert(name.clone(), said);
    }
    let gone = last.as_object().into_iter().flat_map(Map::keys).filter(|name| now.get(name).is_none());
    patch.extend(gone.map(|name| (name.clone(), Value::Null)));
    patch
}

/// Where another kind of thing excludes the one before (a volume's source, a Deployment's strategy): if something changes, what
/// is not said goes, whoever said it.
fn retaining(last: &Value, live: &Value, now: &Value, shape: Option<&Shape>) -> Map<String, Value> {
    let mut patch = objects(last, live, now, shape);
    if patch.values().any(Value::is_null) || !has(live, now) {
        // They go anyway, and a field that is not retained may not be in the patch.
        patch.retain(|_, value| !value.is_null());
        let kept: Vec<String> = patch.keys().filter(|name| !name.starts_with('$')).cloned().collect();
        patch.insert("$retainKeys".to_owned(), json!(kept));
    }
    patch
}

fn list(last: &Value, live: &Value, now: &[Value], rule: &FieldRule, shape: Option<&Shape>) -> Value {
    let key = rule.merge_key;
    if each(last).chain(now).any(|item| item[key].is_null()) {
        // The server says what is missing.
        return json!(now);
    }
    let shape = match shape {
        Some(Shape::List(items)) => Some(&**items),
        _ => None,
    };
    let same = |all: &Value, item: &Value| each(all).find(|other| other[key] == item[key]).cloned().unwrap_or_default();
    let mut patch: Vec<Value> = Vec::new();
    for item in now {
        let (last, live) = (same(last, item), same(live, item));
        let retains = rule.strategy == PatchStrategy::MergeRetainKeys;
        let merged = if retains { retaining(&last, &live, item, shape) } else { objects(&last, &live, item, shape) };
        patch.push(Value::Object(merged));
    }
    let gone = each(last).filter(|item| !now.iter().any(|other| other[key] == item[key]));
    patch.extend(gone.map(|item| json!({"$patch": "delete", key: item[key]})));
    Value::Array(patch)
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn merges(rule: &FieldRule) -> bool {
    matches!(rule.strategy, PatchStrategy::Merge | PatchStrategy::MergeRetainKeys)
}

/// Everything that is said is so already.
fn has(live: &Value, now: &Value) -> bool {
    match now {
        Value::Object(now) => now.iter().all(|(name, value)| has(&live[name], value)),
        now => live == now,
    }
}

/// What a field holds, and how it merges.
fn field<'a>(shape: Option<&'a Shape>, name: &str) -> (Option<&'a Shape>, Option<&'static FieldRule>) {
    match shape {
        Some(Shape::Map(values)) => (Some(values), None),
        Some(Shape::Struct(index)) => {
            let field = registry::definitions().get(*index).and_then(|all| all.fields.get(name));
            (field.map(|field| &field.shape), field.and_then(|field| field.rule))
        }
        _ => (None, None),
    }
}
