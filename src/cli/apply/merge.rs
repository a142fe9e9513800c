//! The patch of client-side apply: what is said now, and the removal of what was said before and no longer is.

use serde_json::{Map, Value, json};

/// The annotation with what was applied last (kubectl's own, so that both can follow each other).
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields whose items strategic merge tells apart by a key (`patchMergeKey` of the core types). Ports have two: a container's and
/// a service's.
const MERGE_KEYS: [(&str, &[&str]); 12] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("secrets", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("hostAliases", &["ip"]),
    ("ports", &["containerPort", "port"]),
    ("topologySpreadConstraints", &["topologyKey"]),
];

/// The patch from what was applied `last` to what shall be `now`. Strategic: lists merge by their keys; else they are replaced.
pub fn three_way(last: &Value, now: &Value, strategic: bool) -> Value {
    objects(last.as_object(), now.as_object(), strategic)
}

fn objects(last: Option<&Map<String, Value>>, now: Option<&Map<String, Value>>, strategic: bool) -> Value {
    let mut patch = Map::new();
    let before = |key: &str| last.and_then(|last| last.get(key));
    for (key, value) in now.into_iter().flatten() {
        let value = match value {
            Value::Object(now) => objects(before(key).and_then(Value::as_object), Some(now), strategic),
            Value::Array(now) if strategic => list(key, before(key).and_then(Value::as_array), now),
            other => other.clone(),
        };
        patch.insert(key.clone(), value);
    }
    for key in last.into_iter().flat_map(Map::keys) {
        if now.is_none_or(|now| !now.contains_key(key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

fn list(field: &str, last: Option<&Vec<Value>>, now: &[Value]) -> Value {
    let last = last.map(Vec::as_slice).unwrap_or_default();
    let Some(key) = merge_key(field, last, now) else {
        return Value::Array(now.to_vec());
    };
    let same = |all: &[Value], item: &Value| all.iter().position(|other| other[key] == item[key]);
    let mut patch: Vec<Value> = Vec::new();
    for item in now {
        let before = same(last, item).and_then(|at| last[at].as_object());
        patch.push(objects(before, item.as_object(), true));
    }
    let gone = last.iter().filter(|item| same(now, item).is_none());
    patch.extend(gone.map(|item| json!({"$patch": "delete", key: item[key]})));
    Value::Array(patch)
}

/// The key that all items have, if the field merges by one.
fn merge_key(field: &str, last: &[Value], now: &[Value]) -> Option<&'static str> {
    let (_, keys) = MERGE_KEYS.iter().find(|(name, _)| *name == field)?;
    keys.iter().copied().find(|key| last.iter().chain(now).all(|item| !item[*key].is_null()))
}
