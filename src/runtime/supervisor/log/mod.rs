//! A container's log, to which no end of this process costs a byte and which gets none twice.
//!
//! Output moves from the container's pipe into a spool file inside the kernel ([`spool`]), and from there, as lines,
//! to the log ([`file`]). Each write of lines is recorded first with its time ([`step`]), so that a supervisor that
//! finds it there writes the very same bytes at the same place, or the rest of them: a reader who follows the log
//! meanwhile notices nothing.

mod file;
mod lines;
mod spool;
mod step;
mod tail;

use crate::supervisor::output::{Output, Piece};
use file::LogFile;
pub(crate) use file::older;
use jiff::Timestamp;
pub(crate) use lines::{LONGEST, Stream};
use spool::Spool;
use std::fs;
use std::io;
use std::path::Path;
use step::{Action, Step, StepFile};
pub(crate) use tail::last_words;

/// Most bytes that leave a pipe at once.
const CHUNK: usize = 64 << 10;
/// A buffer for what this room reads: the beginning of a line and all that may follow it at once (bytes).
pub(crate) const BUFFER: usize = CHUNK + LONGEST + 1;
/// A spool of which so much is in the log begins anew (bytes).
const SHRINK_AT: u64 = 256 << 10;
/// In a container's directory: the step.
const STEP_FILE: &str = "log.step";

/// The log of one container.
#[derive(Debug)]
pub(crate) struct Log {
    file: LogFile,
    spools: [Spool; 2],
    /// Of each spool, so much is in the log (bytes).
    offsets: [u64; 2],
    step: StepFile,
    /// Some output was taken from the pipe but could not be written to the log.
    behind: bool,
    /// Output that was thrown away since the log could last be written (bytes).
    pub lost: u64,
}

impl Log {
    /// Begins the log of a new run, or goes on where an earlier run in this boot of the machine has left its output to
    /// the log only.
    pub(crate) fn begin(directory: &Path, path: &Path) -> io::Result<Self> {
        forget(directory)?;
        Self::resume(directory, path)
    }

    /// Goes on where an earlier supervisor was, and does what it was about to do.
    pub(crate) fn resume(directory: &Path, path: &Path) -> io::Result<Self> {
        let file = LogFile::open(path)?;
        let spools = [Spool::open(directory, Stream::Stdout)?, Spool::open(directory, Stream::Stderr)?];
        let (step, found) = StepFile::open(&directory.join(STEP_FILE))?;
        let mut log = Self { file, spools, offsets: [0, 0], step, behind: true, lost: 0 };
        if let Some(found) = found {
            log.redo(&found)?;
        }
        log.record(Action::None)?;
        Ok(log)
    }

    fn redo(&mut self, found: &Step) -> io::Result<()> {
        self.offsets = found.offsets;
        match found.action {
            Action::None => {}
            Action::Shrink { stream, to } => self.spools[stream].truncate(to)?,
            Action::Write { stream, upto, last, time } => {
                let from = found.offsets[stream];
                let mut bytes = vec![0; usize::try_from(upto.saturating_sub(from)).unwrap_or_default()];
                self.spools[stream].read(from, &mut bytes)?;
                let mut out = Vec::new();
                let taken = lines::cut(&bytes, Stream::ALL[stream], &stamp(time), last, &mut out);
                // A file is rotated only after it got what was recorded.
                if self.file.inode == found.inode {
                    // Shorter than it was: somebody has cut it off.
                    let done = self.file.length.saturating_sub(found.length);
                    let rest = usize::try_from(done).ok().and_then(|done| out.get(done..)).unwrap_or_default();
                    if let Err(error) = self.file.append(rest) {
                        self.file.cut_off(found.length)?;
                        return if is_passing(&error) { Ok(()) } else { Err(error) };
                    }
                }
                self.offsets[stream] += taken as u64;
            }
        }
        for (offset, spool) in self.offsets.iter_mut().zip(&self.spools) {
            *offset = (*offset).min(spool.length);
        }
        Ok(())
    }

    fn record(&self, action: Action) -> io::Result<()> {
        let (inode, length) = (self.file.inode, self.file.length);
        self.step.put(&Step { inode, length, offsets: self.offsets, action })
    }

    /// Takes what an output has now. After an error it is still in the pipe or in the spool.
    pub(crate) fn take(&mut self, output: &mut Output, buffer: &mut [u8]) -> io::Result<Piece> {
        if self.behind {
            self.catch_up(buffer)?;
        }
        let stream = output.stream as usize;
        self.shrink(stream)?;
        let piece = self.spools[stream].take(output, CHUNK)?;
        if matches!(piece, Piece::Bytes(_)) {
            self.behind = true;
            self.write(stream, false, buffer)?;
            self.behind = false;
        }
        Ok(piece)
    }

    /// What was taken last, for whoever is attached.
    pub(crate) fn newest<'a>(&self, stream: Stream, length: usize, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let spool = &self.spools[stream as usize];
        let bytes = &mut buffer[..length];
        spool.read(spool.length.saturating_sub(length as u64), bytes)?;
        Ok(bytes)
    }

    /// Throws away what cannot be written, so that the container is not held up.
    pub(crate) fn discard(&mut self, output: &mut Output, buffer: &mut [u8]) -> io::Result<Piece> {
        let stream = output.stream as usize;
        self.lost += self.spools[stream].length - self.offsets[stream];
        self.offsets[stream] = self.spools[stream].length;
        let piece = output.read(buffer);
        if let Piece::Bytes(read) = piece {
            self.lost += read as u64;
        }
        self.record(Action::None)?;
        Ok(piece)
    }

    /// The container has ended and its outputs are read: what has no line end yet is a line.
    pub(crate) fn close(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        (0..2).try_for_each(|stream| self.write(stream, true, buffer))
    }

    fn catch_up(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        (0..2).try_for_each(|stream| self.write(stream, false, buffer))?;
        self.behind = false;
        Ok(())
    }

    /// Writes the lines of a spool that are not in the log yet.
    fn write(&mut self, stream: usize, last: bool, buffer: &mut [u8]) -> io::Result<()> {
        let mut out = Vec::new();
        loop {
            let (from, length) = (self.offsets[stream], self.spools[stream].length);
            let have = usize::try_from(length - from).unwrap_or(usize::MAX).min(buffer.len());
            let bytes = &mut buffer[..have];
            self.spools[stream].read(from, bytes)?;
            let upto = from + have as u64;
            let (time, last) = (Timestamp::now(), last && upto == length);
            out.clear();
            let taken = lines::cut(bytes, Stream::ALL[stream], &stamp(time), last, &mut out);
            if taken == 0 {
                return Ok(());
            }
            if self.file.is_full_with(out.len()) {
                self.file.rotate()?;
            }
            self.record(Action::Write { stream, upto, last, time })?;
            self.file.append(&out)?;
            self.offsets[stream] += taken as u64;
            if upto == length {
                return Ok(());
            }
        }
    }

    /// Begins a spool anew with what is not in the log yet, once most of it is.
    fn shrink(&mut self, stream: usize) -> io::Result<()> {
        let from = self.offsets[stream];
        let spool = &mut self.spools[stream];
        if from < SHRINK_AT || spool.length - from > from {
            return Ok(());
        }
        let to = spool.copy_to_front(from)?;
        self.offsets[stream] = 0;
        let cut = self.record(Action::Shrink { stream, to }).and_then(|()| self.spools[stream].truncate(to));
        if cut.is_err() {
            // Behind the offset nothing was touched.
            self.offsets[stream] = from;
        }
        // Before anything is added: a recorded cut would take it away.
        self.record(Action::None)?;
        cut
    }
}

/// Removes what a log keeps beside it, once the container's end is recorded.
pub(crate) fn forget(directory: &Path) -> io::Result<()> {
    let names = Stream::ALL.map(|stream| Spool::path(directory, stream));
    for path in names.iter().chain([&directory.join(STEP_FILE)]) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// An error that may go away by itself: no space.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn stamp(time: Timestamp) -> String {
    format!("{time:.9}")
}

#[cfg(test)]
mod tests;
