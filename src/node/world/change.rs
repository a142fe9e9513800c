//! What a message of the masters touched.

use k8s_openapi::api::core::v1::PersistentVolume;

/// Namespace (empty where there is none) and name.
pub type Name = (String, String);

/// What is touched by one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A pod.
    Pod(Name),
    /// A Secret.
    Secret(Name),
    /// A ConfigMap.
    ConfigMap(Name),
    /// A service or one of its endpoint slices.
    Service(Name),
    /// A claim, or the volume that is bound to it.
    Claim(Name),
    /// A volume is gone: this is what it was.
    VolumeGone(Box<PersistentVolume>),
    /// A node.
    Node(String),
}
