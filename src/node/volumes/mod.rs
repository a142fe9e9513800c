//! Volumes: one type a file. To add one: its file, and its line in [`of`].

mod atomic;
mod claim;
mod config_map;
mod content;
mod downward;
mod empty_dir;
mod host_path;
mod local_path;
mod mounts;
mod projected;
mod secret;
mod set;
mod usage;

pub use content::{Content, File};
pub use empty_dir::limits;
pub use local_path::discard;
pub use mounts::bind;
pub use set::{names, refresh, set_up};
pub use usage::{Usage, usage};

use crate::spec::Facts;
use crate::world::World;
use k8s_openapi::api::core::v1::{Pod, Volume as Declared};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A volume cannot be prepared; the text becomes the Event `FailedMount`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VolumeError(pub String);

impl VolumeError {
    pub(crate) fn io(path: &Path, error: impl std::fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

/// What a volume may know.
#[derive(Debug, Clone)]
pub struct Context {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The machine and the pod's address.
    pub facts: Facts,
    /// The volume's own directory on the host; it goes with the pod.
    pub dir: PathBuf,
    /// Where this node keeps directories that are persistent volumes; they do not go with any pod.
    pub local: PathBuf,
    /// `securityContext.fsGroup`.
    pub fs_group: Option<u32>,
}

impl Context {
    /// The pod's namespace.
    pub fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }
}

/// One volume of a pod.
pub trait Volume: Send + Sync {
    /// The files that API objects make; pure.
    ///
    /// # Errors
    /// A needed object or key is absent.
    fn content(&self, _context: &Context, _world: &World) -> Result<Content, VolumeError> {
        Ok(Content::default())
    }

    /// Makes it, or changes it to this content, and gives its place on the host. Again: nothing is lost.
    ///
    /// # Errors
    /// The disk or the kernel refused, or what is there is not what was asked for.
    fn set_up(&self, context: &Context, content: &Content) -> Result<PathBuf, VolumeError>;

    /// Its content follows API objects while the pod runs.
    fn live(&self) -> bool {
        false
    }
}

/// The volume as declared in a pod of this namespace.
///
/// # Errors
/// The type is not supported, or a claim leads to no volume.
pub fn of(declared: &Declared, namespace: &str, world: &World) -> Result<Box<dyn Volume>, VolumeError> {
    if let Some(source) = &declared.persistent_volume_claim {
        return claim::resolve(source, namespace, world);
    }
    if let Some(source) = &declared.empty_dir {
        return Ok(Box::new(empty_dir::EmptyDir(source.clone())));
    }
    if let Some(source) = &declared.host_path {
        return Ok(Box::new(host_path::HostPath(source.clone())));
    }
    if let Some(source) = &declared.config_map {
        return Ok(Box::new(config_map::ConfigMapVolume(source.clone())));
    }
    if let Some(source) = &declared.secret {
        return Ok(Box::new(secret::SecretVolume(source.clone())));
    }
    if let Some(source) = &declared.downward_api {
        return Ok(Box::new(downward::DownwardVolume(source.clone())));
    }
    if let Some(source) = &declared.projected {
        return Ok(Box::new(projected::ProjectedVolume(source.clone())));
    }
    let json = serde_json::to_value(declared).unwrap_or_default();
    let kind = json.as_object().and_then(|all| all.keys().find(|key| *key != "name")).cloned();
    match kind {
        Some(kind) => Err(VolumeError(format!("volume type {kind} is not supported"))),
        // A volume without a source is an emptyDir.
        None => Ok(Box::new(empty_dir::EmptyDir(Default::default()))),
    }
}

#[cfg(test)]
mod volumes_tests;
