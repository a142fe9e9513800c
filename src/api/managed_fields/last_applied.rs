//! From client-side to server-side apply: what `kubectl apply` wrote before stands in an annotation, and is kubectl's own.

use super::Set;
use super::compare::{all_paths, compare};
use crate::kind::KindInfo;
use crate::value::{At, at_mut, ensure, remove};
use crate::{metadata, registry};
use serde_json::Value;

/// The manager that kubectl applies as unless it is told another name: only that one takes over what is in the annotation.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn annotation(object: &Value) -> Option<&str> {
    object.at("metadata.annotations").get(ANNOTATION)?.as_str().filter(|text| !text.is_empty())
}

/// The fields that were applied by kubectl on the client's side and are still as it left them.
pub(super) fn unchanged(info: &KindInfo, live: &Value) -> Set {
    let applied = || {
        let json: Value = serde_json::from_str(annotation(live)?).ok()?;
        let kind = registry::by_resource(info.group, info.version, info.plural)?;
        // Of another version: its fields may be called otherwise.
        (json.text("apiVersion") == info.api_version()).then_some(())?;
        Some(kind.decode(&json).ok()?.object)
    };
    let Some(applied) = applied() else {
        return Set::default();
    };
    let shape = registry::shape(info);
    let difference = compare(shape, Some(&applied), live);
    all_paths(shape, &applied).without(&difference.modified).without(&difference.removed)
}

/// Keeps the annotation, where there is one, at what was applied last: who goes back to client-side apply finds it.
pub(super) fn keep(object: &mut Value, config: &Value) {
    if annotation(object).is_none() {
        return;
    }
    let mut applied = config.clone();
    remove(&mut applied, "metadata.managedFields");
    if let Some(annotations) = at_mut(&mut applied, "metadata.annotations").and_then(Value::as_object_mut) {
        annotations.remove(ANNOTATION);
    }
    let Some(annotations) = ensure(object, "metadata.annotations") else {
        return;
    };
    annotations.insert(ANNOTATION.to_owned(), format!("{applied}\n").into());
    // An annotation that does not fit is better missing than the whole object refused.
    if !metadata::annotations(object.at("metadata.annotations"), "").is_empty()
        && let Some(annotations) = ensure(object, "metadata.annotations")
    {
        annotations.remove(ANNOTATION);
    }
}
