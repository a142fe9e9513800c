//! Files: atomic writes, locks, extended attributes, opening inside a root.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Writes a file so that a reader, or a crash, sees the old content or the new, never a part.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().ok_or_else(|| io::Error::other(format!("{} has no parent", path.display())))?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
    file.write_all(content)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Holds a lock on a file until dropped, against other threads and other processes. Blocks.
pub(crate) fn file_lock(path: &Path, exclusive: bool) -> io::Result<File> {
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let operation = if exclusive { libc::LOCK_EX } else { libc::LOCK_SH };
    loop {
        // SAFETY: a valid descriptor and a plain integer.
        if unsafe { libc::flock(file.as_raw_fd(), operation) } == 0 {
            return Ok(file);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(io::Error::new(error.kind(), format!("lock {}: {error}", path.display())));
        }
    }
}

/// Sets an extended attribute; a final symbolic link is not followed.
pub(crate) fn set_xattr(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let c_path = CString::new(path.as_os_str().as_bytes())?;
    let c_name = CString::new(name)?;
    // SAFETY: both strings end in NUL and the value's length is given.
    let result = unsafe { libc::lsetxattr(c_path.as_ptr(), c_name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if result == 0 { Ok(()) } else { Err(super::os_error(format!("set {name} on {}", path.display()))) }
}

/// Reads an extended attribute; a final symbolic link is not followed.
#[cfg(test)]
pub(crate) fn get_xattr(path: &Path, name: &str) -> io::Result<Vec<u8>> {
    let c_path = CString::new(path.as_os_str().as_bytes())?;
    let c_name = CString::new(name)?;
    let mut value = vec![0u8; 256];
    // SAFETY: both strings end in NUL and the buffer's length is given.
    let read = unsafe { libc::lgetxattr(c_path.as_ptr(), c_name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(read).map_err(|_| super::os_error(format!("get {name}")))?);
    Ok(value)
}

/// Opens `path` as if `root` were `/`: no link and no `..` leads out (openat2(2), RESOLVE_IN_ROOT).
pub(crate) fn open_in_root(root: &impl AsRawFd, path: &Path, flags: i32) -> io::Result<OwnedFd> {
    resolve(root, path, flags, libc::RESOLVE_IN_ROOT)
}

/// Opens `path` below `root`; a link that leads out is an error, EXDEV (openat2(2), RESOLVE_BENEATH).
pub(crate) fn open_beneath(root: &impl AsRawFd, path: &Path, flags: i32) -> io::Result<OwnedFd> {
    resolve(root, path, flags, libc::RESOLVE_BENEATH)
}

fn resolve(root: &impl AsRawFd, path: &Path, flags: i32, how_far: u64) -> io::Result<OwnedFd> {
    let mut text = path.as_os_str().as_bytes();
    if text.is_empty() {
        text = b".";
    }
    let c_path = CString::new(text)?;
    // SAFETY: open_how is plain data for which all zeroes is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = how_far | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the path ends in NUL, `how` is valid and its size is given.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            c_path.as_ptr(),
            &how as *const libc::open_how,
            std::mem::size_of::<libc::open_how>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just returned to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
