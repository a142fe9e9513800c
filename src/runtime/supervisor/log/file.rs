//! The file of a log, rotated by size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file grows no larger (bytes).
pub(super) const LARGEST: u64 = 10 << 20;
/// The newest file and those before it.
const FILES: u32 = 5;

/// The name of the n-th older file.
pub(crate) fn older(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// The newest file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Its inode, by which it is known after a rotation.
    pub inode: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl LogFile {
    /// Opens it, made if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = append(path)?;
        let found = file.metadata()?;
        Ok(Self { path: path.to_owned(), file, inode: found.ino(), length: found.len() })
    }

    /// Cuts it off.
    pub(super) fn cut_off(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }

    /// So much more needs a new file.
    pub(super) fn is_full_with(&self, more: usize) -> bool {
        self.length > 0 && self.length + more as u64 > LARGEST
    }

    /// Appends. After an error nothing was.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins a new file. Interrupted at any point, the next time goes on where it was.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let last = FILES - 1;
        // Above a gap, an earlier rotation has already renamed.
        let gap = (1..last).find(|n| !older(&self.path, *n).exists()).unwrap_or(last);
        for n in (1..gap).rev() {
            fs::rename(older(&self.path, n), older(&self.path, n + 1))?;
        }
        fs::rename(&self.path, older(&self.path, 1))?;
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn keeps_five_and_loses_none_to_an_interruption() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        let content = |n: u32| fs::read_to_string(if n == 0 { path.clone() } else { older(&path, n) }).ok();
        let mut log = LogFile::open(&path).unwrap();
        for n in 0..7 {
            log.append(format!("{n}").as_bytes()).unwrap();
            log.rotate().unwrap();
        }
        let kept: Vec<_> = (0..6).map(content).collect();
        assert_eq!(
            kept,
            ["", "6", "5", "4", "3"].map(|it| Some(it.to_owned())).into_iter().chain([None]).collect::<Vec<_>>()
        );
        // Killed after the first rename of a rotation, and after the second.
        log.append(b"7").unwrap();
        fs::rename(older(&path, 3), older(&path, 4)).unwrap();
        fs::rename(older(&path, 2), older(&path, 3)).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        log.rotate().unwrap();
        let kept: Vec<_> = (0..5).map(content).collect();
        assert_eq!(kept, ["", "7", "6", "5", "4"].map(|it| Some(it.to_owned())));
    }
}
