//! Somebody who is connected to a container's streams.

use crate::supervisor::log::Stream;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::supervisor::create::not_blocking;

/// With more than this waiting (bytes), the container's output is not read on.
const HIGH_WATER: usize = 256 << 10;
/// A reader that takes nothing for so long is let go: a stuck client must not stop a container for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// One output on its way to an attached client.
#[derive(Debug)]
pub(crate) struct Sink {
    /// Our end; does not block.
    pub file: File,
    /// Not yet taken.
    pub waiting: Vec<u8>,
    progress: Instant,
}

impl Sink {
    /// Sends what it takes. `false`: the reader is gone, or stuck.
    pub(crate) fn flush(&mut self) -> bool {
        match self.file.write(&self.waiting) {
            Ok(taken) => {
                self.waiting.drain(..taken);
                self.progress = Instant::now();
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.progress.elapsed() < PATIENCE
            }
            Err(_) => false,
        }
    }
}

/// One attached client.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// The container's id.
    pub container: String,
    /// What the client types.
    pub stdin: Option<File>,
    /// Standard output and error.
    pub sinks: [Option<Sink>; 2],
}

impl Attachment {
    /// Of the descriptors that came along: in, out, err.
    pub(crate) fn new(container: String, [stdin, stdout, stderr]: [Option<OwnedFd>; 3]) -> io::Result<Self> {
        let file = |fd: Option<OwnedFd>| -> io::Result<Option<File>> {
            if let Some(fd) = &fd {
                not_blocking(fd)?;
            }
            Ok(fd.map(File::from))
        };
        let sink = |fd| -> io::Result<Option<Sink>> {
            Ok(file(fd)?.map(|file| Sink { file, waiting: Vec::new(), progress: Instant::now() }))
        };
        Ok(Self { container, stdin: file(stdin)?, sinks: [sink(stdout)?, sink(stderr)?] })
    }

    /// Output for this client.
    pub(crate) fn put(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(sink) = &mut self.sinks[stream as usize] {
            if sink.waiting.is_empty() {
                sink.progress = Instant::now();
            }
            sink.waiting.extend_from_slice(bytes);
        }
        self.flush();
    }

    /// Sends what its readers take; lets go of those that are gone.
    pub(crate) fn flush(&mut self) {
        for sink in &mut self.sinks {
            if sink.as_mut().is_some_and(|sink| !sink.waiting.is_empty() && !sink.flush()) {
                *sink = None;
            }
        }
    }

    /// Its readers are behind.
    pub(crate) fn is_full(&self) -> bool {
        self.sinks.iter().flatten().any(|sink| sink.waiting.len() > HIGH_WATER)
    }

    /// Something waits for its readers.
    pub(crate) fn is_waiting(&self) -> bool {
        self.sinks.iter().flatten().any(|sink| !sink.waiting.is_empty())
    }

    /// Reads what was typed: `Some(0)` at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let read = match self.stdin.as_mut()?.read(buffer) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return None;
            }
            Err(_) => 0,
        };
        if read == 0 {
            self.stdin = None;
        }
        Some(read)
    }
}
