//! Frames: four bytes of length (big endian), then JSON; descriptors come with the first byte.

use crate::sys;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A longer frame is a broken peer.
const LONGEST: usize = 4 << 20;

/// The bytes of one frame.
pub(crate) fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(json);
    Ok(bytes)
}

/// Collects bytes and descriptors until a frame is whole.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

impl Inbox {
    /// Reads what has arrived. `Ok(false)`: the other side closed.
    pub(crate) fn fill(&mut self, socket: &impl AsRawFd) -> io::Result<bool> {
        let mut buffer = [0u8; 16 * 1024];
        let (read, fds) = sys::recv_with_fds(socket, &mut buffer)?;
        self.fds.extend(fds);
        self.bytes.extend_from_slice(&buffer[..read]);
        Ok(read > 0)
    }

    /// The next whole frame.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(head) = self.bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {length} bytes")));
        }
        let Some(json) = self.bytes.get(4..4 + length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(json)?;
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }

    /// A descriptor that came along.
    pub(crate) fn fd(&mut self) -> Option<OwnedFd> {
        self.fds.pop_front()
    }
}

/// Sends one frame whole. The supervisor never waits for a reader: one that leaves its socket full is an error.
pub(crate) fn send<T: Serialize>(socket: &impl AsRawFd, message: &T, fds: &[RawFd]) -> io::Result<()> {
    let bytes = frame(message)?;
    let sent = sys::send_with_fds(socket, &bytes, fds)?;
    if sent < bytes.len() {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "the reader is too slow"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::supervisor::protocol::{Reply, Request};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn frames_arrive_whole_with_their_descriptors() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mine, _other) = UnixStream::pair().unwrap();
        send(&left, &Reply::Started { pid: 7 }, &[mine.as_raw_fd()]).unwrap();
        send(&left, &Reply::Done, &[]).unwrap();
        let mut inbox = Inbox::default();
        assert!(inbox.fill(&right).unwrap());
        assert!(matches!(inbox.next::<Reply>().unwrap(), Some(Reply::Started { pid: 7 })));
        assert!(inbox.fd().is_some());
        if inbox.next::<Reply>().unwrap().is_none() {
            // Ancillary data ends a read.
            inbox.fill(&right).unwrap();
            assert!(matches!(inbox.next::<Reply>().unwrap(), Some(Reply::Done)));
        }
        drop(left);
        assert!(!inbox.fill(&right).unwrap());
    }

    #[test]
    fn a_part_is_no_frame_and_nonsense_is_an_error() {
        let (mut left, right) = UnixStream::pair().unwrap();
        let bytes = frame(&Request::Ping).unwrap();
        left.write_all(&bytes[..5]).unwrap();
        let mut inbox = Inbox::default();
        inbox.fill(&right).unwrap();
        assert!(inbox.next::<Request>().unwrap().is_none());
        left.write_all(&bytes[5..]).unwrap();
        inbox.fill(&right).unwrap();
        assert!(inbox.next::<Request>().unwrap().is_some());
        left.write_all(&[0xff; 8]).unwrap();
        inbox.fill(&right).unwrap();
        assert!(inbox.next::<Request>().is_err());
    }
}
