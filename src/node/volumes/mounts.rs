//! `volumeMounts`: where a container sees which part of which volume.

use super::{Context, VolumeError};
use crate::spec::{BoundMount, expand};
use k8s_openapi::api::core::v1::{Container, Pod, VolumeMount};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The container's mounts; `places` are its pod's volumes on the host, `value` its environment (for `subPathExpr`).
///
/// # Errors
/// An unknown volume, or a `subPath` that leaves its volume.
pub fn bind(
    pod: &Pod,
    container: &Container,
    places: &BTreeMap<String, PathBuf>,
    value: impl Fn(&str) -> Option<String>,
) -> Result<Vec<BoundMount>, VolumeError> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let place = places.get(&mount.name);
        let place = place.ok_or_else(|| VolumeError(format!("volume \"{}\" is not ready", mount.name)))?;
        let part = match (&mount.sub_path, &mount.sub_path_expr) {
            (Some(path), _) if !path.is_empty() => Some(path.clone()),
            (_, Some(path)) if !path.is_empty() => Some(expand(path, &value)),
            _ => None,
        };
        let source = match part {
            Some(part) => sub_path(place, &part, mount)?,
            None => place.clone(),
        };
        let read_only = mount.read_only.unwrap_or(false) || claim_is_read_only(pod, &mount.name);
        mounts.push(BoundMount { source, target: PathBuf::from(&mount.mount_path), read_only });
    }
    Ok(mounts)
}

/// The pod mounts the claim read-only, whatever its containers say.
fn claim_is_read_only(pod: &Pod, volume: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let claims = volumes.iter().filter(|declared| declared.name == volume);
    let mut claims = claims.filter_map(|declared| declared.persistent_volume_claim.as_ref());
    claims.any(|claim| claim.read_only == Some(true))
}

/// A part of a volume, made as a directory if it is absent; links must not lead out of the volume.
fn sub_path(place: &Path, part: &str, mount: &VolumeMount) -> Result<PathBuf, VolumeError> {
    let failed = |why: &dyn std::fmt::Display| {
        VolumeError(format!("failed to prepare subPath {part:?} for volumeMount \"{}\": {why}", mount.name))
    };
    if !Path::new(part).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(failed(&"must be relative, without \"..\""));
    }
    let root = fs::canonicalize(place).map_err(|error| failed(&error))?;
    // Each step is made only below a directory that was found to be inside.
    let mut at = root.clone();
    for step in Path::new(part).components() {
        let next = at.join(step);
        if fs::symlink_metadata(&next).is_err() {
            fs::create_dir(&next).map_err(|error| failed(&error))?;
        }
        at = fs::canonicalize(&next).map_err(|error| failed(&error))?;
        if !at.starts_with(&root) {
            return Err(failed(&"leads out of the volume"));
        }
    }
    Ok(at)
}

impl Context {
    /// `securityContext.fsGroup` of a pod.
    pub fn group(pod: &k8s_openapi::api::core::v1::Pod) -> Option<u32> {
        let context = pod.spec.as_ref()?.security_context.as_ref()?;
        context.fs_group.and_then(|group| u32::try_from(group).ok())
    }
}
