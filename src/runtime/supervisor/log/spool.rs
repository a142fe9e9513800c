//! A file between a container's pipe and its log: what is there has left the pipe, whoever dies.

use crate::supervisor::log::lines::Stream;
use crate::supervisor::output::{Output, Piece};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The spool of one stream. Its length is the truth about how much has left the pipe.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    /// Its length in bytes.
    pub length: u64,
}

impl Spool {
    pub(super) fn path(directory: &Path, stream: Stream) -> PathBuf {
        directory.join(format!("{}.spool", stream.name()))
    }

    /// Opens it, made if there is none.
    pub(super) fn open(directory: &Path, stream: Stream) -> io::Result<Self> {
        let path = Self::path(directory, stream);
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Moves at most `most` bytes from where they come to the end.
    pub(super) fn take(&mut self, output: &mut Output, most: usize) -> io::Result<Piece> {
        let piece = output.move_to(&self.file, self.length, most)?;
        if let Piece::Bytes(moved) = piece {
            self.length += moved as u64;
        }
        Ok(piece)
    }

    /// Reads a range; the buffer is large enough.
    pub(super) fn read(&self, from: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, from)
    }

    /// Copies to the beginning what follows `from`, which is further away than that is long.
    pub(super) fn copy_to_front(&self, from: u64) -> io::Result<u64> {
        let mut rest = vec![0; usize::try_from(self.length - from).unwrap_or_default()];
        self.read(from, &mut rest)?;
        self.file.write_all_at(&rest, 0)?;
        Ok(rest.len() as u64)
    }

    /// Cuts it off.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }
}
