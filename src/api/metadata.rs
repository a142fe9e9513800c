//! What is wrong with `metadata`, the same for every kind.

use crate::cause::invalid_each;
use crate::format;
use crate::kind::KindInfo;
use crate::status::Cause;
use crate::value::At;
use serde_json::Value;

const ANNOTATIONS_MOST: usize = 256 * 1024;

/// What a kind's names must look like.
fn name_check(info: &KindInfo) -> fn(&str) -> Vec<String> {
    match (info.group, info.plural) {
        ("", "namespaces") => format::dns_label,
        ("", "services") => format::dns_1035_label,
        ("apps", "controllerrevisions") => format::dns_subdomain,
        ("rbac.authorization.k8s.io", _) => format::path_segment,
        ("networking.k8s.io", "ipaddresses") => format::ip,
        _ => format::dns_subdomain,
    }
}

/// Name, namespace, labels, annotations, owners and finalizers of a new or changed object.
pub fn validate(object: &Value, info: &KindInfo) -> Vec<Cause> {
    let mut causes = Vec::new();
    let check = name_check(info);
    let (name, prefix) = (object.text("metadata.name"), object.text("metadata.generateName"));
    if !prefix.is_empty() {
        // A prefix may end where a name may not.
        let trimmed = prefix.strip_suffix(['-', '.']).unwrap_or(prefix);
        causes.extend(invalid_each("metadata.generateName", prefix, check(trimmed)));
    }
    if name.is_empty() {
        if prefix.is_empty() {
            causes.push(Cause::required("metadata.name", "name or generateName is required"));
        }
    } else {
        causes.extend(invalid_each("metadata.name", name, check(name)));
    }
    let namespace = object.text("metadata.namespace");
    if info.namespaced {
        if namespace.is_empty() {
            causes.push(Cause::required("metadata.namespace", ""));
        } else {
            causes.extend(invalid_each("metadata.namespace", namespace, format::dns_label(namespace)));
        }
    } else if !namespace.is_empty() {
        causes.push(Cause::forbidden("metadata.namespace", "not allowed on this type"));
    }
    causes.extend(labels(object.at("metadata.labels"), "metadata.labels"));
    causes.extend(annotations(object.at("metadata.annotations"), "metadata.annotations"));
    causes.extend(owners(object));
    for finalizer in object.list("metadata.finalizers").iter().filter_map(Value::as_str) {
        causes.extend(self::finalizer(finalizer, "metadata.finalizers"));
    }
    causes
}

/// What is wrong with labels that stand at `path`.
pub fn labels(labels: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or("");
        causes.extend(invalid_each(path, key, format::qualified_name(key)));
        causes.extend(invalid_each(path, value, format::label_value(value)));
    }
    causes
}

/// What is wrong with annotations that stand at `path`.
pub fn annotations(annotations: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        // Keys are compared in lower case: upstream allows capitals in the prefix.
        causes.extend(invalid_each(path, key, format::qualified_name(&key.to_lowercase())));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_MOST {
        causes.push(Cause::too_long(path, ANNOTATIONS_MOST));
    }
    causes
}

fn owners(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controller: Option<&Value> = None;
    for (index, owner) in object.list("metadata.ownerReferences").iter().enumerate() {
        let path = format!("metadata.ownerReferences[{index}]");
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.text(field).is_empty() {
                causes.push(Cause::invalid(format!("{path}.{field}"), "", format!("{field} must not be empty")));
            }
        }
        if owner.flag("controller") {
            if let Some(first) = controller {
                let shown = |owner: &Value| format!("{}/{}", owner.text("kind"), owner.text("name"));
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                    shown(first),
                    shown(owner)
                );
                causes.push(Cause::invalid("metadata.ownerReferences", shown(owner), detail));
            }
            controller = Some(owner);
        }
    }
    causes
}

/// What is wrong with a finalizer's name.
pub fn finalizer(name: &str, path: &str) -> Vec<Cause> {
    let mut causes = invalid_each(path, name, format::qualified_name(name));
    if causes.is_empty() && !name.contains('/') && !["kubernetes", "orphan", "foregroundDeletion"].contains(&name) {
        causes.push(Cause::invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"));
    }
    causes
}

/// What may not change in metadata. Server-written fields were taken from the old object before.
pub fn validate_update(object: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let path = format!("metadata.{field}");
        let (new, was) = (object.at(&path), old.at(&path));
        if new != was {
            causes.push(Cause::invalid(path, new.clone(), "field is immutable"));
        }
    }
    if old.has("metadata.deletionTimestamp") {
        let had = old.list("metadata.finalizers");
        let added: Vec<Value> =
            object.list("metadata.finalizers").iter().filter(|name| !had.contains(name)).cloned().collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers {}",
                Value::Array(added)
            );
            causes.push(Cause::forbidden("metadata.finalizers", detail));
        }
    }
    causes
}
