//! The built-in kinds, one file or folder each.

mod claim;
pub(crate) mod columns;
mod config_map;
mod controller_revision;
mod deployment;
mod endpoint_slice;
mod endpoints;
mod event;
mod ip_address;
mod job;
mod lease;
mod namespace;
mod node;
pub mod pod;
mod priority_class;
mod replica_set;
mod replication_controller;
#[cfg(test)]
mod rows_tests;
mod secret;
mod service;
mod service_account;
mod stateful_set;
mod storage_class;
#[cfg(test)]
mod strategy_tests;
mod template;
mod volume;

pub use claim::{PROTECTION as CLAIM_PROTECTION, PersistentVolumeClaim};
pub use config_map::ConfigMap;
pub use controller_revision::ControllerRevision;
pub use deployment::Deployment;
pub use endpoint_slice::EndpointSlice;
pub use endpoints::Endpoints;
pub use event::Event;
pub use ip_address::IpAddress;
pub use job::Job;
pub use lease::Lease;
pub use namespace::Namespace;
pub use node::Node;
pub use pod::Pod;
pub use priority_class::PriorityClass;
pub use replica_set::ReplicaSet;
pub use replication_controller::ReplicationController;
pub use secret::Secret;
pub use service::Service;
pub use service_account::ServiceAccount;
pub use stateful_set::StatefulSet;
pub use storage_class::{DEFAULT_CLASS, StorageClass};
pub use volume::{LOCAL_PATH, LOCAL_PATH_NODE, PROTECTION as VOLUME_PROTECTION, PersistentVolume};
