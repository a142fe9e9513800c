//! What the references of an object lead to.

use super::FOREGROUND;
use crate::{Action, objects};
use raftsman_api::kind::KindInfo;
use raftsman_api::meta::{self, OwnerRef};
use raftsman_api::registry;
use raftsman_state::{Object, Resource, View};
use serde_json::Value;
use std::sync::LazyLock;

/// A served kind under the names that are looked for.
struct Served {
    resource: Resource,
    api_version: String,
    info: &'static KindInfo,
}

static KINDS: LazyLock<Vec<Served>> = LazyLock::new(|| {
    let infos = registry::all().iter().map(|strategy| strategy.info());
    infos
        .map(|info| Served { resource: Resource::new(info.group, info.plural), api_version: info.api_version(), info })
        .collect()
});

/// It is in foreground deletion: it waits for its dependents.
pub(super) fn waits(object: &Object) -> bool {
    object.meta.deleting && {
        let json: Value = serde_json::from_slice(&object.json).unwrap_or_default();
        meta::finalizers(&json).contains(&FOREGROUND)
    }
}

/// What the owner of a reference is.
pub(super) enum Found {
    /// There, and to stay (or being deleted in the background: then it is gone soon).
    Solid,
    /// In foreground deletion: waits for this dependent.
    Waiting,
    /// Gone, or never was.
    Gone,
    /// In another namespace: it owns nothing here.
    Elsewhere,
}

pub(super) fn find(view: &View, dependent: &Object, owner: &OwnerRef<'_>) -> Found {
    match view.by_uid(owner.uid) {
        Some(found) if !found.key.namespace().is_empty() && found.key.namespace() != dependent.key.namespace() => {
            Found::Elsewhere
        }
        Some(found) if waits(found) => Found::Waiting,
        Some(_) => Found::Solid,
        // Of a kind that is not served here nothing can be said, so it counts as there.
        None if served(owner).is_none() => Found::Solid,
        None => Found::Gone,
    }
}

/// The kind that a reference names, if it is served here.
fn served(owner: &OwnerRef<'_>) -> Option<&'static KindInfo> {
    let group = owner.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let mut infos = KINDS.iter().map(|kind| kind.info);
    infos.find(|info| info.group == group && info.kind == owner.kind)
}

/// The owner lives in a namespace, as its kind says.
pub(super) fn is_namespaced(owner: &OwnerRef<'_>) -> bool {
    served(owner).is_some_and(|info| info.namespaced)
}

/// Tells whoever wrote it of a reference to what cannot own this object.
pub(super) fn invalid_owner(object: &Object, owner: &OwnerRef<'_>) -> Option<Action> {
    let kind = KINDS.iter().find(|kind| kind.resource == object.key.resource)?;
    let namespace = object.key.namespace();
    let message = format!(
        "ownerRef [{}/{}, namespace: {namespace}, name: {}, uid: {}] does not exist in namespace {namespace:?}",
        owner.api_version, owner.kind, owner.name, owner.uid
    );
    let names = (kind.api_version.as_str(), kind.info.kind);
    Some(objects::event(object, names, false, "OwnerRefInvalidNamespace", message))
}
