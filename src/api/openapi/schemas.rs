//! Component schemas: the types' own, with upstream's extensions.

use crate::kind::{KindInfo, Strategy};
use crate::registry;
use crate::schema::{ListKind, PatchStrategy, atomic_type, rule};
use serde_json::{Map, Value, json};

const REF: &str = "#/components/schemas/";

/// Definition name of a kind's list.
pub(super) fn list_definition(info: &KindInfo) -> String {
    format!("{}List", info.definition())
}

/// The schemas that `paths` and what they reach refer to.
pub(super) fn reachable(paths: &Value, kinds: &[&dyn Strategy]) -> Map<String, Value> {
    let mut out = Map::new();
    let mut open = Vec::new();
    collect(paths, &mut open);
    while let Some(name) = open.pop() {
        if out.contains_key(&name) {
            continue;
        }
        let schema = match kinds.iter().find(|strategy| list_definition(strategy.info()) == name) {
            Some(strategy) => list(strategy.info()),
            None => match registry::schemas().get(&name) {
                Some(schema) => extended(&name, schema),
                None => continue,
            },
        };
        collect(&schema, &mut open);
        out.insert(name, schema);
    }
    out
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str);
            names.extend(reference.and_then(|reference| reference.strip_prefix(REF)).map(str::to_owned));
            map.values().for_each(|value| collect(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

fn list(info: &KindInfo) -> Value {
    let reference = |name: &str| json!({ "allOf": [{ "$ref": format!("{REF}{name}") }], "default": {} });
    let text = |description: &str| json!({ "description": description, "type": "string" });
    json!({
        "description": format!("{0}List is a list of {0} objects.", info.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": text("APIVersion defines the versioned schema of this representation of an object."),
            "kind": text("Kind is a string value representing the REST resource this object represents."),
            "metadata": reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"),
            "items": { "description": "The items.", "type": "array", "items": reference(&info.definition()) },
        },
        "x-kubernetes-group-version-kind": [
            { "group": info.group, "version": info.version, "kind": format!("{}List", info.kind) },
        ],
    })
}

/// Group, version and kind of a definition that is one.
fn identity(name: &str) -> Option<Value> {
    let known = registry::all().iter().map(|strategy| strategy.info());
    if let Some(info) = known.into_iter().find(|info| info.definition() == name) {
        return Some(json!([{ "group": info.group, "version": info.version, "kind": info.kind }]));
    }
    let (group, kind) = match name {
        "io.k8s.api.autoscaling.v1.Scale" => ("autoscaling", "Scale"),
        "io.k8s.api.policy.v1.Eviction" => ("policy", "Eviction"),
        "io.k8s.api.core.v1.Binding" => ("", "Binding"),
        "io.k8s.apimachinery.pkg.apis.meta.v1.Status" => ("", "Status"),
        "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions" => ("", "DeleteOptions"),
        _ => return None,
    };
    Some(json!([{ "group": group, "version": "v1", "kind": kind }]))
}

fn extended(name: &str, schema: &Value) -> Value {
    match name {
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => {
            let description = schema.get("description").cloned().unwrap_or_default();
            let either = json!([{ "type": "integer" }, { "type": "string" }]);
            return json!({ "description": description, "format": "int-or-string", "oneOf": either });
        }
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => {
            let description = schema.get("description").cloned().unwrap_or_default();
            return json!({ "description": description, "oneOf": [{ "type": "string" }, { "type": "number" }] });
        }
        _ => {}
    }
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (field, property) in properties {
            references(property);
            if let Some(map) = property.as_object_mut() {
                extend_field(map, name, field);
            }
        }
    }
    if let Some(map) = schema.as_object_mut() {
        if atomic_type(name) {
            map.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        if let Some(identity) = identity(name) {
            map.insert("x-kubernetes-group-version-kind".to_owned(), identity);
        }
    }
    schema
}

/// A reference with neighbours stands in `allOf`: OpenAPI 3.0 ignores what stands beside a reference.
fn references(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.len() > 1
                && let Some(reference) = map.remove("$ref")
            {
                map.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
            }
            map.iter_mut().filter(|(key, _)| *key != "allOf").for_each(|(_, value)| references(value));
        }
        Value::Array(items) => items.iter_mut().for_each(references),
        _ => {}
    }
}

fn extend_field(map: &mut Map<String, Value>, definition: &str, field: &str) {
    let Some(rule) = rule(definition, field) else {
        return;
    };
    let mut put = |name: &str, value: Value| map.insert(format!("x-kubernetes-{name}"), value);
    match rule.list {
        ListKind::Atomic => put("list-type", "atomic".into()),
        ListKind::Set => put("list-type", "set".into()),
        ListKind::Map(keys) => {
            put("list-map-keys", json!(keys));
            put("list-type", "map".into())
        }
        ListKind::AtomicMap => put("map-type", "atomic".into()),
        ListKind::Untagged => None,
    };
    let strategy = match rule.strategy {
        PatchStrategy::Replace => return,
        PatchStrategy::Merge => "merge",
        PatchStrategy::MergeRetainKeys => "merge,retainKeys",
        PatchStrategy::RetainKeys => "retainKeys",
    };
    put("patch-strategy", strategy.into());
    if !rule.merge_key.is_empty() {
        put("patch-merge-key", rule.merge_key.into());
    }
}
