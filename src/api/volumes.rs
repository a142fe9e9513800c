//! Names by which rooms find persistent volumes and claims, and each other's words about them.

pub use crate::kinds::{CLAIM_PROTECTION, DEFAULT_CLASS, LOCAL_PATH, LOCAL_PATH_NODE, VOLUME_PROTECTION};

/// Index of pods by a claim that they mount: `NAMESPACE/CLAIM`.
pub const POD_CLAIM: &str = "pod-claim";
/// Index of claims by storage class; empty for none.
pub const CLAIM_CLASS: &str = "claim-class";
/// Index of volumes by storage class; empty for none.
pub const VOLUME_CLASS: &str = "volume-class";
/// Index of volumes by the claim that they are for: `NAMESPACE/CLAIM`.
pub const VOLUME_CLAIM: &str = "volume-claim";
/// Index of volumes that are directories of a node, by its name.
pub const VOLUME_NODE: &str = "volume-node";
/// Annotation of a claim: the node that the scheduler has chosen for its first consumer.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Annotation of a volume: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Name of the storage class that every cluster begins with.
pub const LOCAL_PATH_CLASS: &str = "local-path";
/// Label of nodes that volumes are bound to.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
