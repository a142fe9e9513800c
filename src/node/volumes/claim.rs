//! `persistentVolumeClaim`: the volume that the claim is bound to.

use super::host_path::HostPath;
use super::local_path::LocalPath;
use super::{Volume, VolumeError};
use crate::world::World;
use k8s_openapi::api::core::v1::{HostPathVolumeSource, PersistentVolume, PersistentVolumeClaimVolumeSource};
use raftsman_api::volumes::LOCAL_PATH;

/// The volume behind a claim of this namespace.
pub(super) fn resolve(
    source: &PersistentVolumeClaimVolumeSource,
    namespace: &str,
    world: &World,
) -> Result<Box<dyn Volume>, VolumeError> {
    let name = &source.claim_name;
    let claim =
        world.claim(namespace, name).ok_or_else(|| VolumeError(format!("persistentvolumeclaim {name:?} not found")))?;
    let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).filter(|name| !name.is_empty());
    let volume = volume.ok_or_else(|| VolumeError(format!("PersistentVolumeClaim {name:?} is not bound")))?;
    let found = world
        .volume(volume)
        .ok_or_else(|| VolumeError(format!("persistentvolume {volume:?} of claim {name:?} not found")))?;
    of(found)
}

fn of(volume: &PersistentVolume) -> Result<Box<dyn Volume>, VolumeError> {
    let spec = volume.spec.clone().unwrap_or_default();
    if let Some(source) = spec.host_path {
        return Ok(Box::new(HostPath(source)));
    }
    if let Some(source) = spec.local {
        // Unlike a hostPath it must be there: it is a disk or a directory that somebody prepared.
        let kind = Some("Directory".to_owned()).filter(|_| source.fs_type.is_none());
        return Ok(Box::new(HostPath(HostPathVolumeSource { path: source.path, type_: kind })));
    }
    if let Some(source) = spec.csi {
        if source.driver == LOCAL_PATH {
            return Ok(Box::new(LocalPath { handle: source.volume_handle }));
        }
        return Err(VolumeError(format!("CSI driver {:?} is not known to this node", source.driver)));
    }
    let json = serde_json::to_value(&spec).unwrap_or_default();
    let known = ["nfs", "iscsi", "fc", "rbd", "cephfs", "flexVolume"];
    let kind = known.into_iter().find(|kind| json.get(kind).is_some()).unwrap_or("of this persistent volume");
    Err(VolumeError(format!("volume type {kind} is not supported")))
}
