//! inotify(7), as far as a log reader needs it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Tells that something below watched paths changed; what it was is not kept.
#[derive(Debug)]
pub(crate) struct Inotify(OwnedFd);

impl Inotify {
    /// A new, non-blocking watcher without watches.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: plain flags; the returned descriptor is ours.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        if fd < 0 {
            return Err(super::os_error("inotify_init1"));
        }
        // SAFETY: the descriptor was just returned to us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches a directory: files in it written, created, moved or deleted.
    pub(crate) fn watch(&self, directory: &Path) -> io::Result<()> {
        let path = CString::new(directory.as_os_str().as_bytes())?;
        let mask = libc::IN_MODIFY | libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_MOVED_FROM | libc::IN_DELETE_SELF;
        // SAFETY: the path ends in NUL.
        if unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), mask) } < 0 {
            return Err(super::os_error(format!("watch {}", directory.display())));
        }
        Ok(())
    }

    /// Forgets what has happened so far. `WouldBlock` when nothing had.
    pub(crate) fn drain(&self) -> io::Result<()> {
        let mut buffer = [0u8; 4096];
        // SAFETY: the buffer is valid for its length.
        let read = unsafe { libc::read(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        if read < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsRawFd for Inotify {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
