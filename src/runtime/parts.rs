//! Parts of a directory that others may write to, mounted without being led astray by their links.

use crate::sys;
use nix::fcntl::OFlag;
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstat, mkdirat};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Mounts the part `part` of the directory or file `root` at `at`, in place of what was mounted there. What is absent is made
/// as directories with the mode of `root`. Each step is opened below `root` whatever its owner does meanwhile, and what was
/// opened last is what is mounted. Mounts below it are not part of it.
///
/// # Errors
/// The path leads out, through a file or a link to nothing, or the kernel refuses.
pub fn mount_part(root: &Path, part: &Path, at: &Path) -> io::Result<()> {
    let opened = open_part(root, part)?;
    let kind = SFlag::from_bits_truncate(fstat(opened.as_raw_fd())?.st_mode) & SFlag::S_IFMT;
    sys::detach(at)?;
    if let Some(above) = at.parent() {
        fs::create_dir_all(above)?;
    }
    make_target(at, kind == SFlag::S_IFDIR)?;
    sys::bind_open(&opened, at)
}

/// A mount point of the right kind; an earlier one may have been of the other.
fn make_target(at: &Path, directory: bool) -> io::Result<()> {
    match fs::symlink_metadata(at) {
        Ok(found) if found.is_dir() == directory => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir(at)?,
        Ok(_) => fs::remove_file(at)?,
        Err(_) => {}
    }
    if directory { fs::create_dir(at) } else { File::create_new(at).map(drop) }
}

fn open_part(root: &Path, part: &Path) -> io::Result<OwnedFd> {
    let base: OwnedFd = nix_open(root)?;
    let mode = Mode::from_bits_truncate(fstat(base.as_raw_fd())?.st_mode);
    let mut at = PathBuf::new();
    let mut above: Option<OwnedFd> = None;
    for step in part.components() {
        let name = match step {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            _ => return Err(io::Error::other("must be relative, without \"..\"")),
        };
        at.push(name);
        // From the root each time: a link may lead up, as long as it stays inside.
        let opened = match sys::open_beneath(&base, &at, libc::O_PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(above.as_ref().unwrap_or(&base), Path::new(name), mode)?;
                sys::open_beneath(&base, &at, libc::O_PATH)
            }
            opened => opened,
        };
        above = Some(opened.map_err(said)?);
    }
    Ok(above.unwrap_or(base))
}

fn nix_open(root: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt as _;
    Ok(fs::OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(root)?.into())
}

/// One directory. A link to nothing is not followed, so nothing is made elsewhere.
fn make(above: &OwnedFd, name: &Path, mode: Mode) -> io::Result<()> {
    match mkdirat(Some(above.as_raw_fd()), name, mode) {
        Ok(()) => {}
        // Somebody else was first.
        Err(nix::Error::EEXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // The umask took bits away. By what is opened, not by its name, which may be another's by now.
    let made = sys::open_beneath(above, name, libc::O_PATH | libc::O_NOFOLLOW | libc::O_DIRECTORY)?;
    let path = format!("/proc/self/fd/{}", made.as_raw_fd());
    fchmodat(None, path.as_str(), mode, FchmodatFlags::FollowSymlink)?;
    Ok(())
}

fn said(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EXDEV | libc::ELOOP) => io::Error::new(error.kind(), "leads out of the volume"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn path_of(part: &OwnedFd) -> PathBuf {
        fs::read_link(format!("/proc/self/fd/{}", part.as_raw_fd())).unwrap()
    }

    #[test]
    fn parts_are_made_like_their_root_and_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(dir.path()).unwrap();
        let root = home.join("v");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2777)).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("/etc", root.join("out")).unwrap();
        symlink("../..", root.join("a/up")).unwrap();
        symlink("../a", root.join("a/round")).unwrap();
        symlink("nothing", root.join("lost")).unwrap();
        let made = open_part(&root, Path::new("new/./deep")).unwrap();
        assert_eq!(path_of(&made), root.join("new/deep"));
        for part in ["new", "new/deep"] {
            assert_eq!(fs::metadata(root.join(part)).unwrap().mode() & 0o7777, 0o2777, "{part}");
        }
        assert_eq!(path_of(&open_part(&root, Path::new("a/round/b")).unwrap()), root.join("a/b"));
        for bad in ["out", "out/passwd", "a/up", "a/up/x", "lost", "lost/x", "../v", "/etc"] {
            assert!(open_part(&root, Path::new(bad)).is_err(), "{bad}");
        }
        assert!(!root.join("nothing").exists() && !home.join("x").exists());
    }

    #[test]
    fn what_was_opened_is_mounted_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("v");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/file"), "x").unwrap();
        let at = dir.path().join("parts/c/0");
        mount_part(&root, Path::new("sub"), &at).unwrap();
        mount_part(&root, Path::new("sub"), &at).unwrap();
        assert_eq!(fs::read(at.join("file")).unwrap(), b"x");
        mount_part(&root, Path::new("sub/file"), &at).unwrap();
        assert_eq!(fs::read(&at).unwrap(), b"x");
        sys::unmount_below(dir.path()).unwrap();
        assert_eq!(fs::read(&at).unwrap(), b"", "one mount, never two");
    }
}
