//! How much of a disk a directory takes.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What was found of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk, of what was looked at.
    pub bytes: u64,
    /// That is all of it.
    pub whole: bool,
}

/// Adds up the blocks of everything below `dir` on its own file system, until that is more than `enough` or `most` entries
/// were looked at. Links are not followed; a file with several names counts once. Blocks.
///
/// # Errors
/// The directory itself cannot be read; what vanishes meanwhile is passed over.
pub fn usage(dir: &Path, enough: u64, most: usize) -> io::Result<Usage> {
    let root = fs::symlink_metadata(dir)?;
    let mut found = Usage { bytes: blocks(&root), whole: true };
    let mut seen = HashSet::new();
    let mut left = most;
    let mut open = vec![fs::read_dir(dir)?];
    while let Some(entries) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        if left == 0 || found.bytes > enough {
            return Ok(Usage { whole: false, ..found });
        }
        left -= 1;
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.dev() != root.dev() || (metadata.nlink() > 1 && !metadata.is_dir() && !seen.insert(metadata.ino()))
        {
            continue;
        }
        found.bytes = found.bytes.saturating_add(blocks(&metadata));
        if metadata.is_dir() {
            open.extend(fs::read_dir(entry.path()).ok());
        }
    }
    Ok(found)
}

/// A block is 512 bytes whatever the file system's own are (stat(2)).
fn blocks(metadata: &fs::Metadata) -> u64 {
    metadata.blocks().saturating_mul(512)
}
