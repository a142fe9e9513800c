//! Backup files on disk: whole and checked, or not there.

use crate::{BackupError, Manifest, Passphrase, Reader, Totals};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A backup that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What it says about itself.
    pub manifest: Manifest,
    /// What it holds.
    pub totals: Totals,
    /// Its length.
    pub bytes: u64,
}

/// Writes a file beside `path` by what `fill` does with the output, syncs it, reads all of it back, and only then gives it
/// its name. Only its owner may read it: it holds Secrets.
///
/// # Errors
/// `fill`'s own, or the disk's; or what was read back is not what was written. Nothing is left at `path` then, and what
/// was there before stays.
pub fn write_file(
    path: &Path,
    passphrase: Option<&Passphrase>,
    fill: impl FnOnce(BufWriter<File>) -> Result<(BufWriter<File>, Totals), BackupError>,
) -> Result<Written, BackupError> {
    let part = Part::beside(path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part.0)
        .map_err(BackupError::io("create the backup's file"))?;
    let (out, totals) = fill(BufWriter::with_capacity(1 << 20, file))?;
    let file =
        out.into_inner().map_err(|error| BackupError::Io { what: "write the backup", source: error.into_error() })?;
    file.sync_all().map_err(BackupError::io("write the backup"))?;
    drop(file);
    let file = File::open(&part.0).map_err(BackupError::io("read the backup back"))?;
    let mut reader = Reader::open(BufReader::with_capacity(1 << 20, file), passphrase)?;
    let found = reader.drain()?;
    if found != totals {
        return Err(BackupError::Damaged { block: 0, what: "it was read back as something else".into() });
    }
    std::fs::rename(&part.0, path).map_err(BackupError::io("give the backup its name"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(BackupError::io("make the backup's name durable"))?;
    Ok(Written { manifest: reader.manifest().clone(), totals, bytes: reader.bytes() })
}

/// A file that is removed unless it was renamed.
struct Part(PathBuf);

impl Part {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Self(PathBuf::from(name))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already if it was renamed.
        let _ = std::fs::remove_file(&self.0);
    }
}
