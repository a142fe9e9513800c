//! Mounts of the agent and of a supervisor.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NONE: Option<&str> = None;

fn context(what: &str, path: &Path) -> impl FnOnce(nix::Error) -> io::Error {
    let text = format!("{what} {}", path.display());
    move |error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("{text}: {error}"))
    }
}

fn unescape(field: &str) -> String {
    // mountinfo writes space, tab, newline and backslash in octal.
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// The path without links, as mountinfo has it; what does not exist of it stays as it is.
pub(crate) fn real(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    match found {
        Some((above, real)) => match path.strip_prefix(above) {
            // Joined with nothing, a path would end in a slash.
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => path.to_owned(),
        },
        None => path.to_owned(),
    }
}

/// All mount points at or below `path` in this mount namespace, in the order they were made.
pub(crate) fn mount_points_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let path = &real(path);
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| PathBuf::from(unescape(field)))
        .filter(|point| point.starts_with(path))
        .collect())
}

/// Something is mounted exactly there.
pub(crate) fn is_mount_point(path: &Path) -> bool {
    let path = real(path);
    mount_points_below(&path).is_ok_and(|points| points.contains(&path))
}

/// Mounts a directory on itself, so that it is a mount of its own. `false`: it was one already.
pub(crate) fn self_bind(path: &Path) -> io::Result<bool> {
    if is_mount_point(path) {
        return Ok(false);
    }
    mount(Some(path), path, NONE, MsFlags::MS_BIND, NONE).map_err(context("bind", path))?;
    Ok(true)
}

/// New mounts below `path` reach the mount namespaces copied from this one.
pub(crate) fn make_shared(path: &Path) -> io::Result<()> {
    mount(NONE, path, NONE, MsFlags::MS_SHARED, NONE).map_err(context("share", path))
}

/// Mounts below `path` stay here.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    mount(NONE, path, NONE, MsFlags::MS_PRIVATE, NONE).map_err(context("make private", path))
}

/// Mounts arrive here but none leaves, for all of this mount namespace.
pub(crate) fn make_slave_tree() -> io::Result<()> {
    let root = Path::new("/");
    mount(NONE, root, NONE, MsFlags::MS_SLAVE | MsFlags::MS_REC, NONE).map_err(context("make slave", root))
}

/// Binds one file or namespace handle to `target`, which is created.
pub(crate) fn bind_file(source: &Path, target: &Path) -> io::Result<()> {
    fs::File::create(target)?;
    mount(Some(source), target, NONE, MsFlags::MS_BIND, NONE).map_err(context("bind", target))
}

/// A fresh tmpfs.
pub(crate) fn mount_tmpfs(target: &Path, options: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options)).map_err(context("mount tmpfs on", target))
}

/// Unmounts with all that is mounted below; what is still used goes when its last user goes.
pub(crate) fn detach(path: &Path) -> io::Result<()> {
    match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => Ok(()),
        Err(error) => Err(context("unmount", path)(error)),
    }
}

/// Unmounts everything at or below `path`, the innermost first.
pub(crate) fn unmount_below(path: &Path) -> io::Result<()> {
    for point in mount_points_below(path)?.iter().rev() {
        detach(point)?;
    }
    let left = mount_points_below(path)?;
    if left.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!("{} is still mounted", left[0].display())))
}

/// Binds what a descriptor has open to `target`, without what is mounted below it. Mounts below either do not reach the other.
pub(crate) fn bind_open(source: &OwnedFd, target: &Path) -> io::Result<()> {
    let source = PathBuf::from(format!("/proc/self/fd/{}", source.as_raw_fd()));
    mount(Some(&source), target, NONE, MsFlags::MS_BIND, NONE).map_err(context("bind", target))?;
    make_private(target)
}

/// A detached copy of the mount tree at `path` (open_tree(2)).
pub(crate) fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let c_path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: the path ends in NUL; the returned descriptor is ours.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c_path.as_ptr(), flags) };
    if fd < 0 {
        return Err(super::os_error(format!("open_tree {}", path.display())));
    }
    // SAFETY: the descriptor was just returned to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Attaches what [`clone_tree`] gave at `path`.
pub(crate) fn move_tree(tree: &OwnedFd, path: &Path) -> io::Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
    let c_path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both strings end in NUL and the descriptor is valid.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            c_path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    if result < 0 { Err(super::os_error(format!("move_mount to {}", path.display()))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn links_are_resolved_as_far_as_there_is_something() {
        let dir = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(home.join("there")).unwrap();
        std::os::unix::fs::symlink("there", home.join("link")).unwrap();
        for (path, expected) in
            [("link", "there"), ("link/new/one", "there/new/one"), ("there", "there"), ("none", "none")]
        {
            assert_eq!(real(&home.join(path)).as_os_str(), home.join(expected).as_os_str(), "{path}");
        }
    }
}
