//! Where a container's output comes from: two named pipes, or a terminal.
//!
//! The container holds its pipe open for reading and writing: with the supervisor killed it is not hit by SIGPIPE but
//! waits, and the next supervisor opens the pipe by name and reads on. Should the container end meanwhile, the agent
//! still holds the pipe, with what is in it. A terminal cannot be opened again: it ends with its supervisor.

use crate::supervisor::log::Stream;
use crate::sys;
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A pipe with this much in it will soon stop its writer (bytes; a pipe takes 64 KiB).
const PRESSING: usize = 32 << 10;

/// One source of output.
#[derive(Debug)]
pub(crate) struct Output {
    /// As what it is logged.
    pub stream: Stream,
    /// Nothing comes any more.
    pub ended: bool,
    /// The log takes nothing now.
    pub stalled: bool,
    file: File,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Pipe,
    Terminal,
    /// A pipe over a file system that cannot splice.
    Copied,
}

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

fn name(directory: &Path, stream: Stream) -> PathBuf {
    directory.join(format!("{}.pipe", stream.name()))
}

/// Opens the pipes of a container that is already there, to read from or only to keep.
pub(crate) fn open_pipes(directory: &Path) -> Vec<(Stream, File)> {
    let open = |stream| {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(name(directory, stream))
            .map(|it| (stream, it))
    };
    Stream::ALL.into_iter().filter_map(|stream| open(stream).ok()).collect()
}

impl Output {
    fn new(stream: Stream, file: File, source: Source) -> Self {
        Self { stream, ended: false, stalled: false, file, source }
    }

    /// Makes a pipe; gives our end and the container's.
    pub(crate) fn pipe(directory: &Path, stream: Stream) -> io::Result<(Self, OwnedFd)> {
        let path = name(directory, stream);
        let _ = std::fs::remove_file(&path);
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600))?;
        let ours = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
        let theirs = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok((Self::new(stream, ours, Source::Pipe), theirs.into()))
    }

    /// The pipes of a container that is already there.
    pub(crate) fn reopen(directory: &Path) -> Vec<Self> {
        open_pipes(directory).into_iter().map(|(stream, file)| Self::new(stream, file, Source::Pipe)).collect()
    }

    /// A terminal's own side.
    pub(crate) fn terminal(master: OwnedFd) -> Self {
        Self::new(Stream::Stdout, File::from(master), Source::Terminal)
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Piece {
        match self.file.read(buffer) {
            Ok(0) => Piece::End,
            Ok(read) => Piece::Bytes(read),
            Err(error) if is_nothing(&error) => Piece::Nothing,
            // A terminal whose other side is closed says EIO.
            Err(_) => Piece::End,
        }
    }

    /// Moves what is there, at most so much, to a place in a file. After an error it is still there.
    pub(crate) fn move_to(&mut self, file: &File, at: u64, most: usize) -> io::Result<Piece> {
        if self.source == Source::Pipe {
            match sys::splice(&self.file, file, at, most) {
                Ok(0) => return Ok(Piece::End),
                Ok(moved) => return Ok(Piece::Bytes(moved)),
                Err(error) if is_nothing(&error) => return Ok(Piece::Nothing),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.source = Source::Copied,
                Err(error) => return Err(error),
            }
        }
        let mut buffer = vec![0; most];
        let piece = self.read(&mut buffer);
        if let Piece::Bytes(read) = piece {
            file.write_all_at(&buffer[..read], at)?;
        }
        Ok(piece)
    }

    /// Its writer will soon have to wait.
    pub(crate) fn is_pressing(&self) -> bool {
        self.source != Source::Pipe || sys::readable(self.file.as_raw_fd()).is_ok_and(|count| count > PRESSING)
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
