//! Adoption and release: the one way in which a controller changes whose an object is.

use crate::Action;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use raftsman_state::Object;
use serde_json::{Value, json};

/// The patch that replaces the owners of an object. Owners are a list that others write too, so it compares the revision.
pub fn set_owners(object: &Object, owners: &[OwnerReference]) -> Option<Action> {
    Some(patch(object, json!({ "metadata": { "ownerReferences": listed(owners)? } })))
}

/// The patch that adds the owner.
pub fn adopt(object: &Object, metadata: &ObjectMeta, owner: OwnerReference) -> Option<Action> {
    let mut owners = metadata.owner_references.clone().unwrap_or_default();
    owners.push(owner);
    set_owners(object, &owners)
}

/// The patch that takes the owner with this uid away.
pub fn release(object: &Object, metadata: &ObjectMeta, uid: &str) -> Option<Action> {
    let owners: Vec<OwnerReference> =
        metadata.owner_references.iter().flatten().filter(|owner| owner.uid != uid).cloned().collect();
    set_owners(object, &owners)
}

/// Owners as a patch carries them: none is null.
pub fn listed(owners: &[OwnerReference]) -> Option<Value> {
    if owners.is_empty() { Some(Value::Null) } else { serde_json::to_value(owners).ok() }
}

/// A patch that is refused unless the object is as it was seen.
pub fn patch(object: &Object, patch: Value) -> Action {
    Action::Patch {
        key: object.key.clone(),
        uid: object.meta.uid.clone(),
        revision: Some(object.revision),
        patch,
        part: None,
    }
}
