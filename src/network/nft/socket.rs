//! The netfilter socket: batches out, acknowledgements and dumps in. Blocking; the kernel answers before `send` returns.

use crate::nft::attr::{Attrs, attribute};
use crate::nft::error::NftError;
use crate::nft::op::{Message, Op};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::time::Duration;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
const HEADER: usize = 16;
const GENMSG: usize = 4;
const FAMILY_IP: u8 = 2;

/// A socket of one network namespace.
pub struct NftSocket {
    socket: Socket,
    sequence: u32,
    send_buffer: usize,
}

/// One received message.
struct Received<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl NftSocket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        // Only makes errors longer; old kernels lack it.
        socket.set_ext_ack(true).ok();
        socket.set_cap_ack(true).ok();
        setsockopt(&socket, sockopt::RcvBufForce, &(4 << 20)).ok();
        socket2::SockRef::from(&socket).set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { socket, sequence: 0, send_buffer: 0 })
    }

    /// Carries out the changes in one transaction: all or none.
    ///
    /// # Errors
    /// The first refusal, with the change it is about.
    pub fn commit(&mut self, table: &str, ops: &[Op]) -> Result<(), NftError> {
        let messages: Vec<(usize, Message)> =
            ops.iter().enumerate().flat_map(|(i, op)| op.messages(table).into_iter().map(move |m| (i, m))).collect();
        let Some(last) = messages.len().checked_sub(1) else {
            return Ok(());
        };
        let first = self.sequence.wrapping_add(1);
        let mut buffer = Vec::with_capacity(messages.iter().map(|(_, m)| m.attrs.0.len() + 32).sum::<usize>() + 64);
        self.frame(&mut buffer, BATCH_BEGIN, REQUEST, 0, NFTABLES, &[]);
        for (index, (_, message)) in messages.iter().enumerate() {
            let ack = if index == last { ACK } else { 0 };
            let kind = (NFTABLES << 8) | u16::from(message.kind);
            self.frame(&mut buffer, kind, REQUEST | message.flags | ack, FAMILY_IP, 0, &message.attrs.0);
        }
        let acked = self.sequence;
        self.frame(&mut buffer, BATCH_END, REQUEST, 0, NFTABLES, &[]);
        self.send(&buffer)?;
        self.acknowledged(acked, |sequence| {
            // The batch's own frame comes before its first message.
            let index = sequence.wrapping_sub(first).wrapping_sub(1) as usize;
            messages.get(index).and_then(|(op, _)| ops.get(*op)).map_or("commit".to_owned(), ToString::to_string)
        })
    }

    /// Sends one request of `subsystem << 8 | message` and waits for its acknowledgement.
    pub fn request(&mut self, kind: u16, attrs: &Attrs, what: &str) -> Result<(), NftError> {
        let mut buffer = Vec::new();
        self.frame(&mut buffer, kind, REQUEST | ACK, FAMILY_IP, 0, &attrs.0);
        let sequence = self.sequence;
        self.send(&buffer)?;
        self.acknowledged(sequence, |_| what.to_owned())
    }

    /// Sends one request and hands the attributes of every answer to `each`.
    pub fn dump(&mut self, kind: u16, attrs: &Attrs, what: &str, mut each: impl FnMut(&[u8])) -> Result<(), NftError> {
        let mut buffer = Vec::new();
        self.frame(&mut buffer, kind, REQUEST | DUMP, FAMILY_IP, 0, &attrs.0);
        let sequence = self.sequence;
        self.send(&buffer)?;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            for message in received(&bytes) {
                match message.kind {
                    _ if message.sequence != sequence => {}
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return refusal(message.body, what.to_owned()),
                    _ => each(message.body.get(GENMSG..).unwrap_or_default()),
                }
            }
        }
    }

    fn frame(&mut self, buffer: &mut Vec<u8>, kind: u16, flags: u16, family: u8, resource: u16, body: &[u8]) {
        self.sequence = self.sequence.wrapping_add(1);
        let length = (HEADER + GENMSG + body.len()) as u32;
        buffer.extend_from_slice(&length.to_ne_bytes());
        buffer.extend_from_slice(&kind.to_ne_bytes());
        buffer.extend_from_slice(&flags.to_ne_bytes());
        buffer.extend_from_slice(&self.sequence.to_ne_bytes());
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&[family, 0]);
        buffer.extend_from_slice(&resource.to_be_bytes());
        buffer.extend_from_slice(body);
    }

    fn send(&mut self, buffer: &[u8]) -> Result<(), NftError> {
        self.drain();
        let needed = buffer.len() + 64 * 1024;
        if needed > self.send_buffer {
            // A batch is one datagram, and the default limit is about 200 KiB.
            let sent = setsockopt(&self.socket, sockopt::SndBufForce, &needed)
                .or_else(|_| setsockopt(&self.socket, sockopt::SndBuf, &needed));
            sent.map_err(io::Error::from)?;
            self.send_buffer = needed;
        }
        self.socket.send_to(buffer, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// What an earlier failed exchange left must not be taken for this one's answer.
    fn drain(&self) {
        let mut sink = Vec::with_capacity(64 * 1024);
        while self.socket.recv_from(&mut sink, libc::MSG_DONTWAIT).is_ok() {
            sink.clear();
        }
    }

    fn acknowledged(&self, acked: u32, name: impl Fn(u32) -> String) -> Result<(), NftError> {
        let (bytes, _) = self.socket.recv_from_full()?;
        let mut bytes = bytes;
        loop {
            for message in received(&bytes) {
                if message.kind != NLMSG_ERROR {
                    continue;
                }
                refusal(message.body, name(message.sequence))?;
                if message.sequence == acked {
                    return Ok(());
                }
            }
            bytes = self.socket.recv_from_full()?.0;
        }
    }
}

fn received(mut rest: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let header: &[u8; HEADER] = rest.get(..HEADER)?.try_into().ok()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let message = Received {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            body: rest.get(HEADER..length)?,
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Reads an `nlmsgerr`: errno, the request's header, then extended attributes.
fn refusal(body: &[u8], op: String) -> Result<(), NftError> {
    const TEXT: u16 = 1;
    let code = body.get(..4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    let Some(code) = code else {
        return Err(NftError::Protocol("short acknowledgement"));
    };
    if code == 0 {
        return Ok(());
    }
    let detail = attribute(body.get(4 + HEADER..).unwrap_or_default(), TEXT)
        .map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    Err(NftError::Refused { op, source: io::Error::from_raw_os_error(code.saturating_neg()), detail })
}
