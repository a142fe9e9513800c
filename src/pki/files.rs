//! Files of keys and certificates: whole or not at all, keys for their owner only.

use crate::PkiError;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, content: &str) -> Result<(), PkiError> {
    write(path, content, 0o600)
}

/// Writes a file that everybody may read.
pub fn write_public(path: &Path, content: &str) -> Result<(), PkiError> {
    write(path, content, 0o644)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), PkiError> {
    let failed = |error: std::io::Error| PkiError::File { path: path.to_owned(), reason: error.to_string() };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&name).map_err(failed)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&name, path).map_err(failed)
}
