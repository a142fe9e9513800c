//! Small things that every planner needs: resources by name, decoding, references.

use crate::{Action, Key, Note, ObjectRef};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use raftsman_state::{Object, Resource, View};
use serde::de::DeserializeOwned;
use std::sync::{Arc, LazyLock};

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub static $name: LazyLock<Resource> = LazyLock::new(|| Resource::from($text));)*
    };
}

resources! {
    /// `v1 Namespace`.
    NAMESPACES = "namespaces";
    /// `v1 Pod`.
    PODS = "pods";
    /// `v1 Node`.
    NODES = "nodes";
    /// `v1 Service`.
    SERVICES = "services";
    /// `v1 Endpoints`.
    ENDPOINTS = "endpoints";
    /// `coordination.k8s.io/v1 Lease`.
    LEASES = "coordination.k8s.io/leases";
    /// `v1 Event`.
    EVENTS = "events";
    /// `v1 ConfigMap`.
    CONFIG_MAPS = "configmaps";
    /// `v1 ServiceAccount`.
    SERVICE_ACCOUNTS = "serviceaccounts";
    /// `v1 ReplicationController`.
    REPLICATION_CONTROLLERS = "replicationcontrollers";
    /// `apps/v1 ReplicaSet`.
    REPLICA_SETS = "apps/replicasets";
    /// `apps/v1 Deployment`.
    DEPLOYMENTS = "apps/deployments";
    /// `apps/v1 StatefulSet`.
    STATEFUL_SETS = "apps/statefulsets";
    /// `apps/v1 ControllerRevision`.
    CONTROLLER_REVISIONS = "apps/controllerrevisions";
    /// `batch/v1 Job`.
    JOBS = "batch/jobs";
    /// `v1 PersistentVolumeClaim`.
    CLAIMS = "persistentvolumeclaims";
    /// `v1 PersistentVolume`.
    VOLUMES = "persistentvolumes";
    /// `storage.k8s.io/v1 StorageClass`.
    STORAGE_CLASSES = "storage.k8s.io/storageclasses";
    /// `discovery.k8s.io/v1 EndpointSlice`.
    ENDPOINT_SLICES = "discovery.k8s.io/endpointslices";
}

/// Index of pods by node name.
pub const POD_NODE: &str = "pod-node";
/// Index of pods without a controller, by namespace.
pub const POD_ORPHAN: &str = "pod-orphan";

/// The typed form; an object that does not decode is logged and left alone.
pub fn decode<T: DeserializeOwned + Send + Sync + 'static>(object: &Object) -> Option<Arc<T>> {
    object.decode().inspect_err(|error| tracing::warn!(key = %object.key, %error, "object does not decode")).ok()
}

/// The typed object at a key.
pub fn get<T: DeserializeOwned + Send + Sync + 'static>(view: &View, key: &Key) -> Option<(Arc<Object>, Arc<T>)> {
    let object = view.get(key)?;
    Some((object.clone(), decode(object)?))
}

/// Keys of all objects of a resource.
pub fn keys(view: &View, resource: &Resource) -> Vec<Key> {
    view.list(resource, None).map(|object| object.key.clone()).collect()
}

/// A reference to the controller of a new object.
pub fn controlled_by(api_version: &str, kind: &str, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The controller's reference in metadata.
pub fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// An Event about an object that exists.
pub fn event(
    regarding: &Object,
    (api_version, kind): (&'static str, &'static str),
    good: bool,
    reason: &'static str,
    message: String,
) -> Action {
    let regarding = ObjectRef { key: regarding.key.clone(), api_version, kind, uid: regarding.meta.uid.clone() };
    let kind = if good { crate::EventType::Normal } else { crate::EventType::Warning };
    Action::Event(Note { regarding, kind, reason: reason.into(), message })
}

/// FNV-1a over texts, 64 bits.
pub fn hash(texts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}
