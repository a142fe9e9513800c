//! Local directories as volumes: one for a claim, on the node of its first consumer.

use crate::objects::{self, NODES};
use crate::{Action, Key};
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;
use raftsman_api::volumes::{HOSTNAME, LOCAL_PATH, LOCAL_PATH_NODE, PROVISIONED_BY};
use raftsman_state::{Object, View};
use std::collections::BTreeMap;

/// The name of the volume made for a claim; the same at every try.
pub(super) fn name(claim: &Object) -> String {
    format!("pvc-{}", claim.meta.uid)
}

/// The volume for a claim on a node.
pub(super) fn local_path(
    view: &View,
    object: &Object,
    claim: &PersistentVolumeClaim,
    class_name: &str,
    class: &StorageClass,
    node: &str,
) -> Result<Action, String> {
    let spec = claim.spec.clone().unwrap_or_default();
    if spec.volume_mode.as_deref() == Some("Block") {
        return Err("volumeMode Block is not supported: a directory is no block device".to_owned());
    }
    let shared =
        spec.access_modes.iter().flatten().find(|mode| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany"));
    if let Some(mode) = shared {
        return Err(format!("access mode {mode} is not supported: a directory is reached from its own node only"));
    }
    if spec.selector.is_some() {
        return Err("a selector is not supported for volumes that are made".to_owned());
    }
    let (_, typed) = objects::get::<Node>(view, &Key::new(&NODES, "", node))
        .ok_or_else(|| format!("node {node:?} is not in the cluster"))?;
    let hostname = typed.metadata.labels.as_ref().and_then(|labels| labels.get(HOSTNAME)).cloned();
    let hostname = hostname.unwrap_or_else(|| node.to_owned());
    let name = name(object);
    let mut volume = PersistentVolume::default();
    volume.metadata.name = Some(name.clone());
    volume.metadata.annotations = Some(BTreeMap::from([(PROVISIONED_BY.to_owned(), LOCAL_PATH.to_owned())]));
    let only_here =
        NodeSelectorRequirement { key: HOSTNAME.to_owned(), operator: "In".to_owned(), values: Some(vec![hostname]) };
    let term = NodeSelectorTerm { match_expressions: Some(vec![only_here]), match_fields: None };
    volume.spec = Some(PersistentVolumeSpec {
        access_modes: spec.access_modes,
        capacity: spec.resources.and_then(|resources| resources.requests),
        claim_ref: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            namespace: Some(object.key.namespace().to_owned()),
            name: Some(object.key.name().to_owned()),
            uid: Some(object.meta.uid.to_string()),
            ..ObjectReference::default()
        }),
        csi: Some(CSIPersistentVolumeSource {
            driver: LOCAL_PATH.to_owned(),
            volume_handle: name.clone(),
            volume_attributes: Some(BTreeMap::from([(LOCAL_PATH_NODE.to_owned(), node.to_owned())])),
            ..CSIPersistentVolumeSource::default()
        }),
        node_affinity: Some(VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }),
        persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
        storage_class_name: Some(class_name.to_owned()),
        volume_mode: spec.volume_mode,
        ..PersistentVolumeSpec::default()
    });
    let object = serde_json::to_value(&volume).map_err(|error| error.to_string())?;
    Ok(Action::Create { key: super::claim::volume_key(&name), object })
}
