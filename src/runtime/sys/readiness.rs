//! Descriptors in Tokio's event loop.

use std::io;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A type that owns the descriptor it gives, always the same one.
pub(crate) trait Owner: AsRawFd {}

impl Owner for std::fs::File {}
impl Owner for super::PidFd {}
impl Owner for super::Inotify {}

/// Registers an owned descriptor. Inside a Tokio runtime.
pub(crate) fn register<T: Owner>(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: an owner gives one descriptor, which stays open as long as it lives; AsyncFd keeps it and gives no way
    // to close it before it is deregistered.
    unsafe { AsyncFd::register_with_interest(inner, interest) }.map_err(|error| error.into_parts().1)
}
