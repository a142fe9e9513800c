//! Netfilter messages: requests, and changes of a table in one transaction, each answered by the kernel at once.

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use std::io;

/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
/// `NLMSG_ERROR`: a refusal, or, with code 0, an acknowledgement.
const ANSWER: u16 = 2;
const NESTED: u16 = 0x8000;
const FAMILY_IP: u8 = 2;
/// Length, type, flags, sequence and sender.
const HEADER: usize = 16;

/// One attribute: its type, and its value in the kernel's form.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A string, with its closing zero.
pub fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// A number in network byte order.
pub fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

/// Attributes within one.
pub fn nested(kind: u16, within: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NESTED, &within.concat())
}

/// A message of nf_tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `NFT_MSG_*`.
    pub kind: u16,
    /// `NLM_F_CREATE` and the like.
    pub flags: u16,
    /// Its attributes.
    pub body: Vec<u8>,
}

/// Asks one thing.
pub fn ask(message: &Message) -> io::Result<()> {
    exchange(&frame((NFTABLES << 8) | message.kind, message.flags | ACK, 0, &message.body))
}

/// Carries out all or none.
pub fn commit(messages: &[Message]) -> io::Result<()> {
    let mut batch = frame(BATCH_BEGIN, 0, NFTABLES, &[]);
    for (at, message) in messages.iter().enumerate() {
        let ack = if at + 1 == messages.len() { ACK } else { 0 };
        batch.extend(frame((NFTABLES << 8) | message.kind, message.flags | ack, 0, &message.body));
    }
    batch.extend(frame(BATCH_END, 0, NFTABLES, &[]));
    exchange(&batch)
}

fn frame(kind: u16, flags: u16, resource: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + 4 + body.len());
    bytes.extend(((HEADER + 4 + body.len()) as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    // nfgenmsg: family, version, resource.
    bytes.extend([FAMILY_IP, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Sends, and waits for the acknowledgement or the first refusal.
fn exchange(bytes: &[u8]) -> io::Result<()> {
    let socket = Socket::new(NETLINK_NETFILTER)?;
    socket.send_to(bytes, &SocketAddr::new(0, 0), 0)?;
    loop {
        if let Some(code) = answer(&socket.recv_from_full()?.0)? {
            return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) };
        }
    }
}

/// The code of an answer; none of what else the kernel sends.
fn answer(message: &[u8]) -> io::Result<Option<i32>> {
    let short = || io::Error::other("a short answer of the kernel");
    let kind: [u8; 2] = message.get(4..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    if u16::from_ne_bytes(kind) != ANSWER {
        return Ok(None);
    }
    let code = message.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
    Ok(Some(i32::from_ne_bytes(code)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_are_padded_and_count_without_padding() {
        assert_eq!(text(3, "ab"), [&7u16.to_ne_bytes()[..], &3u16.to_ne_bytes(), b"ab\0\0"].concat());
        let within = nested(1, &[number(2, 7)]);
        assert_eq!(within[..4], [12u16.to_ne_bytes(), 0x8001u16.to_ne_bytes()].concat());
        assert_eq!(within[8..], [0, 0, 0, 7]);
    }

    #[test]
    fn answers_are_told_from_the_rest() {
        let mut message = frame(ANSWER, 0, 0, &[]);
        message[HEADER..].copy_from_slice(&(-2i32).to_ne_bytes());
        assert_eq!(answer(&message).unwrap(), Some(-2));
        assert_eq!(answer(&frame(5, 0, 0, &[])).unwrap(), None);
        assert!(answer(&message[..17]).is_err() && answer(&[]).is_err());
    }
}
