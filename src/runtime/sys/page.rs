//! A page of memory that processes share, and waiting for it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

const SIZE: usize = 4096;

/// What such a page holds; the meaning is its users'.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Words {
    /// Small words.
    pub small: [AtomicU32; 2],
    /// Large words.
    pub large: [AtomicU64; 3],
}

/// A mapped page. It stays mapped until its process ends: forked children go on with it.
#[derive(Debug)]
pub(crate) struct Page(NonNull<Words>);

// SAFETY: nothing but atomics is reached through it, and it is never unmapped.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// A page of this process and of the children that it will fork.
    pub(crate) fn anonymous() -> io::Result<Self> {
        Self::map(libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)
    }

    /// The page of a file, made with zeroes if it is absent. On a tmpfs: a store must not wait for a disk.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if file.metadata()?.len() < SIZE as u64 {
            file.set_len(SIZE as u64)?;
        }
        Self::map(libc::MAP_SHARED, file.as_raw_fd())
    }

    fn map(flags: i32, fd: RawFd) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice; the result is checked.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(super::os_error("map a shared page"));
        }
        NonNull::new(at.cast()).map(Self).ok_or_else(|| io::Error::other("map a shared page: at address 0"))
    }
}

impl std::ops::Deref for Page {
    type Target = Words;

    fn deref(&self) -> &Words {
        // SAFETY: a page is larger than the words and aligned for them, all bit patterns are valid, and it is never
        // unmapped.
        unsafe { self.0.as_ref() }
    }
}

/// Waits while the word has this value, at most so long. May return early.
pub(crate) fn wait_while(word: &AtomicU32, value: u32, most: Duration) {
    let most = libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: most.subsec_nanos().into(),
    };
    // SAFETY: futex(2) FUTEX_WAIT with a valid word in shared memory and a valid time.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, std::ptr::from_ref(&most), 0, 0);
    }
}

/// Wakes all who wait for the word, in every process.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: futex(2) FUTEX_WAKE with a valid word.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX, 0, 0, 0);
    }
}
