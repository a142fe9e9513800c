//! The files of the operating system.

use super::direct::Direct;
use super::{File, Files, Lock};
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Zeroes are written in pieces of so many bytes.
const ZEROES: usize = 1 << 20;

/// A directory.
#[derive(Debug)]
pub struct RealFiles {
    path: PathBuf,
}

impl RealFiles {
    /// Opens a directory; creates it, durably, if it is absent.
    ///
    /// # Errors
    /// It cannot be created or is no directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            fs::create_dir_all(path).map_err(|error| about(path, "create", &error))?;
            if let Some(parent) = path.parent() {
                fs::File::open(parent)
                    .and_then(|file| file.sync_all())
                    .map_err(|error| about(parent, "sync", &error))?;
            }
        }
        Ok(Self { path: path.to_owned() })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Files for RealFiles {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&self) -> io::Result<Lock> {
        let directory = fs::File::open(&self.path).map_err(|error| about(&self.path, "open", &error))?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Box::new(Held(directory))),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let text = format!("{} is in use by a raftsman that runs", self.path.display());
                Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
            }
            Err(error) => Err(about(&self.path, "lock", &error.into())),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let failed = |error: io::Error| about(&self.path, "list", &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            // Nothing of ours has a name that is no text.
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.at(name);
        let file = fs::OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(|error| about(&path, "open", &error))?;
        Ok(Arc::new(RealFile { path, file, direct: Direct::default() }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let path = self.at(name);
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| about(&path, "create", &error))?;
        Ok(Arc::new(RealFile { path, file, direct: Direct::default() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let path = self.at(from);
        fs::rename(&path, self.at(to)).map_err(|error| about(&path, "rename", &error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.at(name);
        fs::remove_file(&path).map_err(|error| about(&path, "remove", &error))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync(&self.path)
    }
}

pub(super) fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory).and_then(|file| file.sync_all()).map_err(|error| about(directory, "sync", &error))
}

/// A locked directory. Unlocked by word: a process that is being started just now may hold a copy of the descriptor.
struct Held(fs::File);

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = flock(&self.0, FlockOperation::Unlock) {
            tracing::warn!(%error, "a directory stays locked until this process ends");
        }
    }
}

#[derive(Debug)]
struct RealFile {
    path: PathBuf,
    file: fs::File,
    direct: Direct,
}

impl File for RealFile {
    fn size(&self) -> io::Result<u64> {
        self.file.metadata().map(|found| found.len()).map_err(|error| about(&self.path, "stat", &error))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(into, offset).map_err(|error| about(&self.path, "read", &error))
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(from, offset).map_err(|error| about(&self.path, "write", &error))
    }

    fn write_durably(&self, from: &[u8], offset: u64) -> io::Result<()> {
        let written = self.direct.write(&self.file, &self.path, from, offset);
        if written.map_err(|error| about(&self.path, "write", &error))? {
            return Ok(());
        }
        self.write_at(from, offset)?;
        self.sync_data()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let failed = |error: io::Error| about(&self.path, "allocate", &error);
        self.file.set_len(0).map_err(failed)?;
        match fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            // Some file systems cannot: writing takes the space too.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(failed(error.into())),
        }
        // Allocated extents count as unwritten until they are written: each first sync there would write metadata.
        let zeroes = vec![0; ZEROES.min(usize::try_from(bytes).unwrap_or(ZEROES))];
        let mut offset = 0;
        while offset < bytes {
            let piece = zeroes.len().min(usize::try_from(bytes - offset).unwrap_or(zeroes.len()));
            self.file.write_all_at(&zeroes[..piece], offset).map_err(failed)?;
            offset += piece as u64;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| about(&self.path, "sync", &error))
    }
}

/// The same error, with what was done to what.
pub(super) fn about(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whether or not it goes past the page cache, readers see it.
    #[test]
    fn a_durable_write_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let files = RealFiles::open(directory.path()).unwrap();
        let file = files.create("x").unwrap();
        file.allocate(16384).unwrap();
        let buffer: Vec<u8> = (0..16384u32).map(|n| (n % 251) as u8).collect();
        let begin = buffer.as_ptr().align_offset(4096);
        let mut expected = vec![0; 16384];
        for (from, to, length) in [(begin, 4096, 8192), (begin + 1, 512, 100), (begin, 8192, 4096), (3, 0, 4096)] {
            let mut found = vec![0; 16384];
            file.read_at(&mut found, 0).unwrap();
            assert_eq!(found, expected);
            file.write_durably(&buffer[from..from + length], to as u64).unwrap();
            expected[to..to + length].copy_from_slice(&buffer[from..from + length]);
        }
        files.rename("x", "y").unwrap();
        let mut found = vec![0; 16384];
        files.open("y").unwrap().read_at(&mut found, 0).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn files_are_created_filled_renamed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let files = RealFiles::open(&directory.path().join("a/b")).unwrap();
        let file = files.create("x").unwrap();
        file.allocate(ZEROES as u64 + 5).unwrap();
        assert_eq!(file.size().unwrap(), ZEROES as u64 + 5);
        file.write_at(b"hello", ZEROES as u64).unwrap();
        file.sync_data().unwrap();
        files.create("y").unwrap();
        files.rename("x", "y").unwrap();
        files.sync_dir().unwrap();
        assert_eq!(files.list().unwrap(), ["y"]);
        let mut found = [1; 7];
        files.open("y").unwrap().read_at(&mut found, ZEROES as u64 - 2).unwrap();
        assert_eq!(&found, b"\0\0hello");
        let short = file.read_at(&mut found, ZEROES as u64).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        assert!(short.to_string().contains("a/b/x"), "{short}");
        assert_eq!(files.create("y").err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        files.remove("y").unwrap();
        assert!(files.list().unwrap().is_empty());
        assert_eq!(files.open("y").err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
