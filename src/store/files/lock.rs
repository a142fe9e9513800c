//! One process at a time has a data directory.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::path::Path;

/// Holds a directory until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock(#[allow(dead_code, reason = "closing it lets go of the lock")] File);

impl DirectoryLock {
    /// Takes it, creating the directory if it is absent.
    ///
    /// # Errors
    /// Another process has it, or it cannot be opened.
    pub fn take(path: &Path) -> io::Result<Self> {
        let about =
            |error: io::Error| io::Error::new(error.kind(), format!("data directory {}: {error}", path.display()));
        std::fs::create_dir_all(path).map_err(about)?;
        let directory = File::open(path).map_err(about)?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(directory)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("data directory {} is in use by a raftsman that runs: stop it first", path.display()),
            )),
            Err(error) => Err(about(error.into())),
        }
    }
}
