//! Slices that one controller keeps for one source: found again, made, changed and deleted.

use crate::objects::{self, ENDPOINT_SLICES};
use crate::{Action, Key, Now, WorkKey, patch};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use raftsman_state::{Object, Resource, View};
use serde_json::json;
use std::sync::Arc;

/// Label with the name of the controller that keeps a slice.
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Label with the name of the Service, which its source has, too.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A slice as it is.
pub(super) type Slice = (Arc<Object>, Arc<EndpointSlice>);

/// What this controller keeps the slice for: of `resource`.
pub(super) fn source_of(slice: &Object, controller: &str, resource: &Resource) -> Option<WorkKey> {
    (slice.meta.label(MANAGED_BY) == Some(controller)).then_some(())?;
    Some(Key::new(resource, slice.key.namespace(), slice.meta.label(SERVICE_NAME)?))
}

/// The slices that this controller keeps for a source.
pub(super) fn held(view: &View, source: &WorkKey, controller: &str) -> Vec<Slice> {
    let slices = view.list(&ENDPOINT_SLICES, Some(source.namespace()));
    let own = |slice: &&Arc<Object>| source_of(slice, controller, &source.resource).as_ref() == Some(source);
    let slices = slices.filter(|slice| !slice.meta.deleting).filter(own);
    slices.filter_map(|slice| Some((slice.clone(), objects::decode(slice)?))).collect()
}

/// Makes a slice for a source of this kind, under a name that is free.
pub(super) fn create(
    view: &View,
    now: &Now,
    (kind, source): (&str, &Object),
    mut slice: EndpointSlice,
    salt: u64,
) -> Option<Action> {
    let prefix = format!("{}-", source.key.name());
    let mut tries = (0..100).map(|again| {
        let name = now.name(&prefix, salt * 100 + again);
        Key::new(&ENDPOINT_SLICES, source.key.namespace(), &name)
    });
    let key = tries.find(|key| view.get(key).is_none())?;
    slice.metadata.name = Some(key.name().to_owned());
    slice.metadata.generate_name = Some(prefix);
    slice.metadata.namespace = Some(key.namespace().to_owned());
    slice.metadata.owner_references =
        Some(vec![objects::controlled_by("v1", kind, source.key.name(), &source.meta.uid)]);
    Some(Action::Create { key, object: serde_json::to_value(&slice).ok()? })
}

/// Changes what is not as wanted: labels, annotations, endpoints.
pub(super) fn update((object, old): &Slice, wanted: &EndpointSlice) -> Option<Action> {
    let mut body = json!({});
    if let Some(labels) = patch::between(&old.metadata.labels, &wanted.metadata.labels) {
        body["metadata"]["labels"] = labels;
    }
    if let Some(annotations) = patch::between(&old.metadata.annotations, &wanted.metadata.annotations) {
        body["metadata"]["annotations"] = annotations;
    }
    if let Some(endpoints) = patch::between(&old.endpoints, &wanted.endpoints) {
        body["endpoints"] = endpoints;
    }
    let (key, uid, revision) = (object.key.clone(), object.meta.uid.clone(), Some(object.revision));
    (body != json!({})).then_some(Action::Patch { key, uid, revision, patch: body, part: None })
}

/// Deletes a slice.
pub(super) fn delete(slice: &Object) -> Action {
    let (key, uid) = (slice.key.clone(), slice.meta.uid.clone());
    Action::Delete { key, uid, revision: Some(slice.revision), grace: None, propagation: None }
}
