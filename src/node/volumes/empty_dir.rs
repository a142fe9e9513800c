//! `emptyDir`: a directory that lives as long as its pod, on disk or in memory.

use super::{Content, Context, Volume, VolumeError};
use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Pod};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use raftsman_api::quantity::Quantity;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

pub(super) struct EmptyDir(pub EmptyDirVolumeSource);

/// A tmpfs at `dir`, unless one is there. True if it is new.
pub(super) fn tmpfs(dir: &Path, size: Option<i64>) -> Result<bool, VolumeError> {
    fs::create_dir_all(dir).map_err(|error| VolumeError::io(dir, error))?;
    if is_mount(dir)? {
        return Ok(false);
    }
    let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
    let options = format!("mode=0755{size}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), dir, Some("tmpfs"), flags, Some(options.as_str()))
        .map_err(|error| VolumeError::io(dir, format!("mount of a tmpfs: {error}")))?;
    Ok(true)
}

/// A directory. True if it is new.
fn directory(dir: &Path) -> Result<bool, VolumeError> {
    let made = dir.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::create_dir(dir));
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(VolumeError::io(dir, error)),
    }
}

fn is_mount(dir: &Path) -> Result<bool, VolumeError> {
    let here = fs::metadata(dir).map_err(|error| VolumeError::io(dir, error))?;
    let above = fs::metadata(dir.join("..")).map_err(|error| VolumeError::io(dir, error))?;
    let kind = statfs(dir).map_err(|error| VolumeError::io(dir, error))?;
    Ok(here.dev() != above.dev() && kind.filesystem_type() == TMPFS_MAGIC)
}

/// The pod's volumes on disk that may not grow larger: name, limit in bytes, limit as declared. Those in memory cannot.
pub fn limits(pod: &Pod) -> Vec<(String, u64, String)> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let limited = volumes.iter().filter_map(|volume| {
        let source = volume.empty_dir.as_ref()?;
        let limit = source.size_limit.as_ref()?;
        let on_disk = source.medium.as_deref().unwrap_or_default().is_empty();
        let bytes = limit.0.parse().ok().map(Quantity::value).and_then(|bytes| u64::try_from(bytes).ok())?;
        on_disk.then(|| (volume.name.clone(), bytes, limit.0.clone()))
    });
    limited.collect()
}

impl Volume for EmptyDir {
    fn set_up(&self, context: &Context, _content: &Content) -> Result<PathBuf, VolumeError> {
        let dir = &context.dir;
        let limit = self.0.size_limit.as_ref().and_then(|limit| limit.0.parse().ok()).map(Quantity::value);
        let new = match self.0.medium.as_deref() {
            None | Some("") => directory(dir)?,
            Some("Memory") => tmpfs(dir, limit)?,
            Some(other) => {
                return Err(VolumeError(format!("emptyDir medium {other:?} is not supported")));
            }
        };
        // Later it is its pod's own.
        if !new {
            return Ok(dir.clone());
        }
        let mut mode = 0o777;
        if let Some(group) = context.fs_group {
            chown(dir, None, Some(group)).map_err(|error| VolumeError::io(dir, error))?;
            mode |= 0o2000;
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(|error| VolumeError::io(dir, error))?;
        Ok(dir.clone())
    }
}
