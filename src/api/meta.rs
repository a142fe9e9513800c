//! Reading `metadata` of an object that is JSON.

use crate::value::At;
use serde_json::Value;

/// An owner reference (`metadata.ownerReferences[]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRef<'a> {
    /// The owner's API version.
    pub api_version: &'a str,
    /// The owner's kind.
    pub kind: &'a str,
    /// The owner's name.
    pub name: &'a str,
    /// The owner's uid.
    pub uid: &'a str,
    /// `controller: true`.
    pub controller: bool,
    /// `blockOwnerDeletion: true`.
    pub block_deletion: bool,
}

/// `metadata.name`, or empty.
pub fn name(object: &Value) -> &str {
    object.text("metadata.name")
}

/// `metadata.namespace`, or empty.
pub fn namespace(object: &Value) -> &str {
    object.text("metadata.namespace")
}

/// `metadata.uid`, or empty.
pub fn uid(object: &Value) -> &str {
    object.text("metadata.uid")
}

/// `metadata.generation`, or 0.
pub fn generation(object: &Value) -> i64 {
    object.int("metadata.generation").unwrap_or(0)
}

/// Labels as pairs, sorted by key.
pub fn labels(object: &Value) -> Vec<(&str, &str)> {
    let mut pairs: Vec<(&str, &str)> = object
        .map("metadata.labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// One label.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.at("metadata.labels").get(key)?.as_str()
}

/// One annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.at("metadata.annotations").get(key)?.as_str()
}

/// Owner references.
pub fn owners(object: &Value) -> Vec<OwnerRef<'_>> {
    object
        .list("metadata.ownerReferences")
        .iter()
        .map(|owner| OwnerRef {
            api_version: owner.text("apiVersion"),
            kind: owner.text("kind"),
            name: owner.text("name"),
            uid: owner.text("uid"),
            controller: owner.flag("controller"),
            block_deletion: owner.flag("blockOwnerDeletion"),
        })
        .collect()
}

/// The owner that manages this object.
pub fn controller(object: &Value) -> Option<OwnerRef<'_>> {
    owners(object).into_iter().find(|owner| owner.controller)
}

/// `metadata.deletionTimestamp`, if it is being deleted.
pub fn deletion_timestamp(object: &Value) -> Option<&str> {
    object.at("metadata.deletionTimestamp").as_str()
}

/// It is being deleted.
pub fn is_deleting(object: &Value) -> bool {
    deletion_timestamp(object).is_some()
}

/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> Vec<&str> {
    object.list("metadata.finalizers").iter().filter_map(Value::as_str).collect()
}

/// A condition of `status.conditions` by its type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object.list("status.conditions").iter().find(|condition| condition.text("type") == kind)
}

/// A condition is there and `True`.
pub fn condition_is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition.text("status") == "True")
}
