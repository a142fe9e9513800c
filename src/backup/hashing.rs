//! Readers and writers that sum what passes.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Length of a SHA-256.
pub(crate) const DIGEST: usize = 32;

/// Sums the bytes that were read or written through it.
pub(crate) struct Hashing<T> {
    pub(crate) inner: T,
    sum: Sha256,
    pub(crate) bytes: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, sum: Sha256::new(), bytes: 0 }
    }

    /// Of everything until now.
    pub(crate) fn digest(&self) -> [u8; DIGEST] {
        self.sum.clone().finalize().into()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
