//! Descriptors of pipes and terminals as async streams, and back.

use crate::sys;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Bytes per read.
const CHUNK: usize = 32 << 10;

/// A pipe's end or a terminal's own side.
pub(crate) struct Stream(AsyncFd<File>);

impl Stream {
    /// Takes over a descriptor. Inside a Tokio runtime.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        use std::os::fd::AsRawFd as _;
        let flags = OFlag::from_bits_truncate(fcntl(fd.as_raw_fd(), FcntlArg::F_GETFL)?);
        fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self(sys::register(File::from(fd), Interest::READABLE | Interest::WRITABLE)?))
    }

    /// What has arrived; `None` at the end.
    pub(crate) async fn read(&self) -> Option<Bytes> {
        let mut buffer = vec![0u8; CHUNK];
        loop {
            let mut ready = self.0.readable().await.ok()?;
            match ready.try_io(|file| file.get_ref().read(&mut buffer)) {
                Ok(Ok(0)) => return None,
                Ok(Ok(read)) => {
                    buffer.truncate(read);
                    return Some(buffer.into());
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal whose other side is closed says EIO.
                Ok(Err(_)) => return None,
                Err(_would_block) => {}
            }
        }
    }

    /// Writes all of it.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|file| file.get_ref().write(bytes)) {
                Ok(Ok(written)) => bytes = &bytes[written..],
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        self.0.get_ref()
    }
}

/// A pipe: the end to read from, the end to write to.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Copies to a channel until the end. With nobody listening any more it reads on, so that the writer is not stopped.
pub(crate) async fn copy_out(stream: &Stream, sender: Option<mpsc::Sender<Bytes>>) {
    while let Some(bytes) = stream.read().await {
        if let Some(sender) = &sender {
            let _ = sender.send(bytes).await;
        }
    }
}

/// Copies from a channel until it ends, or nobody reads any more.
pub(crate) async fn copy_in(mut receiver: mpsc::Receiver<Bytes>, stream: &Stream) {
    while let Some(bytes) = receiver.recv().await {
        if stream.write(&bytes).await.is_err() {
            return;
        }
    }
}
