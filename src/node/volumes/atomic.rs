//! Files that change all at once: a directory per version, and a symbolic link that is renamed over.
//!
//! `DIR/..data` leads to the newest `DIR/..VERSION`; `DIR/NAME` leads to `..data/NAME`. Readers see one version or the next.

use super::{Content, VolumeError};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

const DATA: &str = "..data";

/// Makes `dir` hold this content. True if anything changed.
pub fn write(dir: &Path, content: &Content, group: Option<u32>) -> Result<bool, VolumeError> {
    let failed = |error: std::io::Error| VolumeError::io(dir, error);
    fs::create_dir_all(dir).map_err(failed)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let old = version(dir);
    if old.as_ref().is_some_and(|old| same(&dir.join(old), content)) {
        link_names(dir, content).map_err(failed)?;
        return Ok(false);
    }
    let version = format!("..{}", uuid::Uuid::new_v4().simple());
    let fresh = dir.join(&version);
    let made = fill(&fresh, content, group)
        .and_then(|()| symlink(&version, dir.join("..data_tmp")))
        .and_then(|()| fs::rename(dir.join("..data_tmp"), dir.join(DATA)))
        .and_then(|()| link_names(dir, content));
    if let Err(error) = made {
        let _ = fs::remove_file(dir.join("..data_tmp"));
        let _ = fs::remove_dir_all(&fresh);
        return Err(failed(error));
    }
    if let Some(old) = old {
        fs::remove_dir_all(dir.join(old)).map_err(failed)?;
    }
    Ok(true)
}

/// The version that there is, if the link is one of ours: others may have made it lead elsewhere.
fn version(dir: &Path) -> Option<PathBuf> {
    let found = fs::read_link(dir.join(DATA)).ok()?;
    let mut parts = found.components();
    let own = match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => name.as_encoded_bytes().starts_with(b".."),
        _ => false,
    };
    own.then_some(found)
}

fn fill(fresh: &Path, content: &Content, group: Option<u32>) -> std::io::Result<()> {
    fs::create_dir(fresh)?;
    fs::set_permissions(fresh, fs::Permissions::from_mode(0o755))?;
    for (path, file) in content {
        let at = fresh.join(path);
        if let Some(parent) = at.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&at, &file.data)?;
        let mode = if group.is_some() { file.mode | 0o040 } else { file.mode };
        fs::set_permissions(&at, fs::Permissions::from_mode(mode))?;
        if let Some(group) = group {
            std::os::unix::fs::chown(&at, None, Some(group))?;
        }
    }
    Ok(())
}

fn same(version: &Path, content: &Content) -> bool {
    let read = |path: &String| fs::read(version.join(path)).ok();
    let mode = |path: &String| fs::metadata(version.join(path)).map(|meta| meta.permissions().mode() & 0o777).ok();
    let held = content.iter().all(|(path, file)| {
        read(path).as_ref() == Some(&file.data) && mode(path).is_some_and(|mode| mode | 0o040 == file.mode | 0o040)
    });
    held && files(version) == content.len()
}

fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// The names that people use: one link a first path component; links of names that are gone go.
fn link_names(dir: &Path, content: &Content) -> std::io::Result<()> {
    let wanted: BTreeSet<&str> = content.keys().filter_map(|path| path.split('/').next()).collect();
    for name in &wanted {
        let link = dir.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), link)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is no link is somebody else's.
        if entry.file_type()?.is_symlink() && !name.starts_with("..") && !wanted.contains(name.as_ref()) {
            fs::remove_file(dir.join(name.as_ref()))?;
        }
    }
    Ok(())
}
