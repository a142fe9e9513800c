//! `hostPath`: a file or directory of the machine.

use super::{Content, Context, Volume, VolumeError};
use k8s_openapi::api::core::v1::HostPathVolumeSource;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) struct HostPath(pub HostPathVolumeSource);

fn make_file(path: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

fn make_dir(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

impl Volume for HostPath {
    fn set_up(&self, _context: &Context, _content: &Content) -> Result<PathBuf, VolumeError> {
        let path = PathBuf::from(&self.0.path);
        let kind = self.0.type_.as_deref().unwrap_or_default();
        let made = match kind {
            "DirectoryOrCreate" if !path.exists() => make_dir(&path),
            "FileOrCreate" if !path.exists() => make_file(&path),
            // As container engines do for a bind without a type.
            "" if !path.exists() => make_dir(&path),
            _ => Ok(()),
        };
        made.map_err(|error| VolumeError::io(&path, error))?;
        let wrong = |what: &str| VolumeError(format!("hostPath type check failed: {} is not a {what}", path.display()));
        let found = fs::metadata(&path).map(|meta| meta.file_type());
        let is = |test: fn(&fs::FileType) -> bool| found.as_ref().is_ok_and(test);
        match kind {
            "" => {}
            "Directory" | "DirectoryOrCreate" if !is(fs::FileType::is_dir) => {
                return Err(wrong("directory"));
            }
            "File" | "FileOrCreate" if !is(fs::FileType::is_file) => return Err(wrong("file")),
            "Socket" if !is(|kind| kind.is_socket()) => return Err(wrong("socket file")),
            "CharDevice" if !is(|kind| kind.is_char_device()) => {
                return Err(wrong("character device"));
            }
            "BlockDevice" if !is(|kind| kind.is_block_device()) => {
                return Err(wrong("block device"));
            }
            "Directory" | "DirectoryOrCreate" | "File" | "FileOrCreate" | "Socket" | "CharDevice" | "BlockDevice" => {}
            other => return Err(VolumeError(format!("hostPath type {other:?} is unknown"))),
        }
        Ok(path)
    }
}
