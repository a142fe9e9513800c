//! Durable writes past the page cache: one request to the disk in the place of a copy, a write and a flush.

use rustix::fs::OFlags;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;

/// A file's second descriptor, with `O_DIRECT` and `O_DSYNC`, open(2). Opened when first needed.
#[derive(Debug, Default)]
pub(super) struct Direct(OnceLock<Option<fs::File>>);

impl Direct {
    /// Writes durably; false if that is not possible here: the file system has no such writes, or the bytes do not lie as it
    /// wants them in memory or in the file.
    pub(super) fn write(&self, file: &fs::File, path: &Path, from: &[u8], offset: u64) -> io::Result<bool> {
        let Some(direct) = self.0.get_or_init(|| open(file, path).ok()) else { return Ok(false) };
        match direct.write_all_at(from, offset) {
            Ok(()) => Ok(true),
            // Nothing was tried.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn open(file: &fs::File, path: &Path) -> io::Result<fs::File> {
    let flags = i32::try_from((OFlags::DIRECT | OFlags::DSYNC).bits()).map_err(io::Error::other)?;
    let direct = fs::OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    let (one, two) = (file.metadata()?, direct.metadata()?);
    // Its name may be another file's by now.
    if (one.dev(), one.ino()) == (two.dev(), two.ino()) { Ok(direct) } else { Err(io::ErrorKind::NotFound.into()) }
}
