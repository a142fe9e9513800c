//! `volumeMounts`: where a container sees which part of which volume.

use super::{Context, VolumeError};
use crate::spec::{BoundMount, expand};
use k8s_openapi::api::core::v1::{Container, Pod, Volume as Declared};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The container's mounts; `places` are its pod's volumes on the host, `dir` the pod's directory, `value` its environment (for
/// `subPathExpr`). Blocks.
///
/// # Errors
/// An unknown volume, or a `subPath` that leaves its volume.
pub fn bind(
    pod: &Pod,
    container: &Container,
    places: &BTreeMap<String, PathBuf>,
    dir: &Path,
    value: impl Fn(&str) -> Option<String>,
) -> Result<Vec<BoundMount>, VolumeError> {
    let mut mounts = Vec::new();
    for (number, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let place = places.get(&mount.name);
        let place = place.ok_or_else(|| VolumeError(format!("volume \"{}\" is not ready", mount.name)))?;
        let part = match (&mount.sub_path, &mount.sub_path_expr) {
            (Some(path), _) if !path.is_empty() => Some(path.clone()),
            (_, Some(path)) if !path.is_empty() => Some(expand(path, &value)),
            _ => None,
        };
        let source = match part {
            Some(part) => {
                let at = dir.join("subpaths").join(&container.name).join(number.to_string());
                // The path must not be looked up again: it may lead elsewhere by then.
                raftsman_runtime::mount_part(place, Path::new(&part), &at).map_err(|error| {
                    let name = &mount.name;
                    VolumeError(format!("failed to prepare subPath {part:?} for volumeMount \"{name}\": {error}"))
                })?;
                at
            }
            None => place.clone(),
        };
        let read_only = mount.read_only.unwrap_or(false) || is_read_only(pod, &mount.name);
        mounts.push(BoundMount { source, target: PathBuf::from(&mount.mount_path), read_only });
    }
    Ok(mounts)
}

/// Whatever its containers say: files that follow API objects are the agent's to write, and a claim is as its pod mounts it.
fn is_read_only(pod: &Pod, volume: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let claimed = |declared: &Declared| declared.persistent_volume_claim.as_ref()?.read_only;
    volumes.iter().filter(|declared| declared.name == volume).any(|declared| {
        declared.config_map.is_some()
            || declared.secret.is_some()
            || declared.downward_api.is_some()
            || declared.projected.is_some()
            || claimed(declared) == Some(true)
    })
}

impl Context {
    /// `securityContext.fsGroup` of a pod.
    pub fn group(pod: &k8s_openapi::api::core::v1::Pod) -> Option<u32> {
        let context = pod.spec.as_ref()?.security_context.as_ref()?;
        context.fs_group.and_then(|group| u32::try_from(group).ok())
    }
}
