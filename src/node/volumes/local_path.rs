//! The built-in provisioner's volumes: directories under the node's own data directory.

use super::{Content, Context, Volume, VolumeError};
use k8s_openapi::api::core::v1::PersistentVolume;
use raftsman_api::volumes::{LOCAL_PATH, LOCAL_PATH_NODE};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};

pub(super) struct LocalPath {
    pub handle: String,
}

/// The directory of a volume; its handle is one plain name.
fn place(local: &Path, handle: &str) -> Option<PathBuf> {
    let mut parts = Path::new(handle).components();
    let plain = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    plain.then(|| local.join(handle))
}

impl Volume for LocalPath {
    fn set_up(&self, context: &Context, _content: &Content) -> Result<PathBuf, VolumeError> {
        let dir = place(&context.local, &self.handle)
            .ok_or_else(|| VolumeError(format!("volumeHandle {:?} is not a plain name", self.handle)))?;
        // What is there is data: neither its owner nor its mode are set again.
        if !dir.exists() {
            fs::create_dir_all(&dir).map_err(|error| VolumeError::io(&dir, error))?;
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o777))
                .map_err(|error| VolumeError::io(&dir, error))?;
        }
        if let Some(group) = context.fs_group {
            let mode = fs::metadata(&dir).map_err(|error| VolumeError::io(&dir, error))?.permissions().mode();
            chown(&dir, None, Some(group)).map_err(|error| VolumeError::io(&dir, error))?;
            let mode = fs::Permissions::from_mode(mode & 0o7777 | 0o2070);
            fs::set_permissions(&dir, mode).map_err(|error| VolumeError::io(&dir, error))?;
        }
        Ok(dir)
    }
}

/// Removes the directory of a volume that was deleted, if it is one of this node and its policy says so. Blocks.
///
/// # Errors
/// The disk refused; what is left is logged by the caller.
pub fn discard(volume: &PersistentVolume, node: &str, local: &Path) -> Result<(), VolumeError> {
    let Some(spec) = &volume.spec else { return Ok(()) };
    let Some(csi) = spec.csi.as_ref().filter(|csi| csi.driver == LOCAL_PATH) else {
        return Ok(());
    };
    let here = csi.volume_attributes.as_ref().and_then(|all| all.get(LOCAL_PATH_NODE)).is_some_and(|name| name == node);
    let deletes = spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete");
    match place(local, &csi.volume_handle) {
        Some(dir) if here && deletes && dir.exists() => {
            tracing::info!(dir = %dir.display(), "removing the directory of a deleted volume");
            fs::remove_dir_all(&dir).map_err(|error| VolumeError::io(&dir, error))
        }
        _ => Ok(()),
    }
}
