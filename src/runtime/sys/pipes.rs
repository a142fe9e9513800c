//! Moving bytes out of pipes.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Moves at most `most` bytes from a pipe to a place in a file, inside the kernel: whatever becomes of this process, a
/// byte is in the pipe or in the file, never in neither and never in both. `Ok(0)`: nothing comes any more. Does not
/// wait.
pub(crate) fn splice(pipe: &impl AsRawFd, file: &File, at: u64, most: usize) -> io::Result<usize> {
    let mut offset = libc::loff_t::try_from(at).map_err(io::Error::other)?;
    let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
    // SAFETY: two valid descriptors, a null offset for the pipe as it must be, and a valid offset for the file.
    let moved =
        unsafe { libc::splice(pipe.as_raw_fd(), std::ptr::null_mut(), file.as_raw_fd(), &mut offset, most, flags) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// How many bytes can be read now.
pub(crate) fn readable(fd: RawFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    if unsafe { libc::ioctl(fd, libc::FIONREAD, &mut count) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or_default())
}
