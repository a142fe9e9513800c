//! One layer's tar into a directory that overlayfs can stack (OCI image-spec, "Image Layer Filesystem Changeset").
//!
//! Nothing leads out of the directory: every parent is opened as if the layer were the root file system.

use crate::sys;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};
use tar::{Entry, EntryType};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Unpacks a tar stream into `target`, an empty directory. `below` are the unpacked layers under it, nearest first: a
/// directory that this layer only implies takes its owner and mode from there.
pub(crate) fn unpack(stream: impl Read, target: &Path, below: &[PathBuf]) -> io::Result<()> {
    let mut unpacker =
        Unpacker { root: File::open(target)?, below: below.to_vec(), parent: None, directory_times: HashMap::new() };
    fs::set_permissions(target, fs::Permissions::from_mode(0o755))?;
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        unpacker
            .entry(&mut entry, &path)
            .map_err(|error| io::Error::new(error.kind(), format!("layer entry \"{}\": {error}", path.display())))?;
    }
    unpacker.finish()
}

struct Unpacker {
    root: File,
    below: Vec<PathBuf>,
    parent: Option<(PathBuf, OwnedFd)>,
    directory_times: HashMap<PathBuf, i64>,
}

/// The path inside the layer: no root, no `.`; `..` is refused.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "leads out of the layer"));
            }
        }
    }
    Ok(clean)
}

fn through(fd: &impl AsRawFd, name: &OsStr) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())).join(name)
}

impl Unpacker {
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = clean(path)?;
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return self.root_entry(entry);
        };
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        let place = self.place(&parent, &name)?;
        if name.as_bytes() == OPAQUE {
            let directory = place.parent().unwrap_or(&place).join(".");
            return sys::set_xattr(&directory, "trusted.overlay.opaque", b"y");
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) {
            if hidden.is_empty() || hidden.starts_with(WHITEOUT) {
                return Ok(());
            }
            let place = self.place(&parent, OsStr::from_bytes(hidden))?;
            clear(&place, false)?;
            mknod(&place, SFlag::S_IFCHR, Mode::empty(), 0)?;
            return Ok(());
        }
        self.make(entry, kind, &path, &place)
    }

    fn root_entry(&self, entry: &Entry<'_, impl Read>) -> io::Result<()> {
        let place = through(&self.root, OsStr::new("."));
        let header = entry.header();
        lchown(&place, Some(header.uid()? as u32), Some(header.gid()? as u32))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(header.mode()? & 0o7777))
    }

    fn make(&mut self, entry: &mut Entry<'_, impl Read>, kind: EntryType, path: &Path, place: &Path) -> io::Result<()> {
        let header = entry.header().clone();
        let (uid, gid, mode) = (header.uid()? as u32, header.gid()? as u32, header.mode()? & 0o7777);
        let mtime = i64::try_from(header.mtime()?).unwrap_or(0);
        let is_directory = kind == EntryType::Directory;
        clear(place, is_directory)?;
        let device = || -> io::Result<u64> {
            let (major, minor) = (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
            Ok(nix::sys::stat::makedev(major.into(), minor.into()))
        };
        match kind {
            EntryType::Directory => {
                if !place.is_dir() {
                    fs::create_dir(place)?;
                }
                self.directory_times.insert(path.to_owned(), mtime);
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut file = File::create_new(place)?;
                io::copy(entry, &mut file)?;
            }
            EntryType::Symlink => symlink(link_target(entry)?, place)?,
            EntryType::Link => return self.hard_link(&link_target(entry)?, place),
            EntryType::Char => mknod(place, SFlag::S_IFCHR, Mode::empty(), device()?)?,
            EntryType::Block => mknod(place, SFlag::S_IFBLK, Mode::empty(), device()?)?,
            EntryType::Fifo => mknod(place, SFlag::S_IFIFO, Mode::empty(), 0)?,
            other => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, format!("unknown kind {other:?}")));
            }
        }
        lchown(place, Some(uid), Some(gid))?;
        if kind != EntryType::Symlink {
            // After the owner: chown clears set-user-id.
            fs::set_permissions(place, fs::Permissions::from_mode(mode))?;
        }
        for (name, value) in attributes(entry)? {
            if let Err(error) = sys::set_xattr(place, &name, &value)
                && name.starts_with("security.capability")
            {
                return Err(error);
            }
        }
        if !is_directory {
            set_mtime(place, mtime)?;
        }
        Ok(())
    }

    fn hard_link(&mut self, target: &Path, place: &Path) -> io::Result<()> {
        let target = clean(target)?;
        let (Some(name), Some(parent)) = (target.file_name(), target.parent()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "hard link to the root"));
        };
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let directory = sys::open_in_root(&self.root, parent, flags)?;
        fs::hard_link(through(&directory, name), place)
    }

    /// Where `name` in the directory `parent` is to be made.
    fn place(&mut self, parent: &Path, name: &OsStr) -> io::Result<PathBuf> {
        if self.parent.as_ref().is_none_or(|(open, _)| open != parent) {
            let opened = self.open_directory(parent)?;
            self.parent = Some((parent.to_owned(), opened));
        }
        match &self.parent {
            Some((_, directory)) => Ok(through(directory, name)),
            None => Err(io::Error::other("no parent")),
        }
    }

    fn open_directory(&mut self, path: &Path) -> io::Result<OwnedFd> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        match sys::open_in_root(&self.root, path, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let name: OsString = path.file_name().map(OsStr::to_owned).unwrap_or_default();
        let above = self.open_directory(path.parent().unwrap_or(Path::new("")))?;
        let place = through(&above, &name);
        fs::create_dir(&place)?;
        let like =
            self.below.iter().filter_map(|layer| fs::symlink_metadata(layer.join(path)).ok()).find(|m| m.is_dir());
        if let Some(like) = like {
            lchown(&place, Some(like.uid()), Some(like.gid()))?;
            fs::set_permissions(&place, fs::Permissions::from_mode(like.mode() & 0o7777))?;
        }
        sys::open_in_root(&self.root, path, flags)
    }

    fn finish(self) -> io::Result<()> {
        for (path, mtime) in &self.directory_times {
            // A directory may have been replaced since.
            if let Ok(directory) = sys::open_in_root(&self.root, path, libc::O_PATH | libc::O_DIRECTORY) {
                set_mtime(&through(&directory, OsStr::new(".")), *mtime)?;
            }
        }
        Ok(())
    }
}

fn link_target(entry: &Entry<'_, impl Read>) -> io::Result<PathBuf> {
    let target = entry.link_name()?.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "link without target"))?;
    Ok(target.into_owned())
}

/// Makes way for a new entry; a directory stays for a directory.
fn clear(place: &Path, for_directory: bool) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_dir() && for_directory => Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(_) => Ok(()),
    }
}

fn attributes(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let Some(extensions) = entry.pax_extensions()? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for extension in extensions {
        let extension = extension?;
        if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr.")) {
            // An image has no say in how layers are stacked.
            if !name.starts_with("trusted.overlay.") {
                found.push((name.to_owned(), extension.value_bytes().to_vec()));
            }
        }
    }
    Ok(found)
}

fn set_mtime(place: &Path, seconds: i64) -> io::Result<()> {
    let time = TimeSpec::new(seconds, 0);
    utimensat(None, place, &time, &time, UtimensatFlags::NoFollowSymlink)?;
    Ok(())
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
