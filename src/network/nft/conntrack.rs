//! Connection tracking entries over ctnetlink: found by a test on both directions, and deleted.

use crate::nft::attr::{Attrs, attribute};
use crate::nft::error::NftError;
use crate::nft::socket::NftSocket;
use std::net::{Ipv4Addr, SocketAddrV4};

/// `NFNL_SUBSYS_CTNETLINK` and its messages.
const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const NESTED: u16 = 0x8000;

/// One tracked flow of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// The transport protocol's number.
    pub protocol: u8,
    /// Where the first packet was sent.
    pub destination: SocketAddrV4,
    /// Who answers: equal to `destination` if it was not translated.
    pub replier: SocketAddrV4,
}

/// Deletes the flows that `stale` picks; returns how many. A flow that ended meanwhile is fine.
pub fn delete_flows(socket: &mut NftSocket, stale: impl Fn(&Flow) -> bool) -> Result<usize, NftError> {
    let mut found = Vec::new();
    socket.dump(GET, &Attrs::default(), "list tracked connections", |body| {
        if flow(body).is_some_and(|flow| stale(&flow)) {
            let mut attrs = Attrs::default();
            for kind in [TUPLE_ORIG, ID, ZONE] {
                if let Some(value) = attribute(body, kind) {
                    attrs.bytes(if kind == TUPLE_ORIG { kind | NESTED } else { kind }, value);
                }
            }
            found.push(attrs);
        }
    })?;
    for attrs in &found {
        match socket.request(DELETE, attrs, "delete a tracked connection") {
            Err(error) if error.errno() != Some(libc::ENOENT) => return Err(error),
            _ => {}
        }
    }
    Ok(found.len())
}

fn flow(body: &[u8]) -> Option<Flow> {
    const PROTO: u16 = 2;
    const PROTO_NUM: u16 = 1;
    let original = attribute(body, TUPLE_ORIG)?;
    let reply = attribute(body, TUPLE_REPLY)?;
    Some(Flow {
        protocol: *attribute(attribute(original, PROTO)?, PROTO_NUM)?.first()?,
        destination: SocketAddrV4::new(address(original, 2)?, port(original, 3)?),
        replier: SocketAddrV4::new(address(reply, 1)?, port(reply, 2)?),
    })
}

fn address(tuple: &[u8], kind: u16) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = attribute(attribute(tuple, 1)?, kind)?.try_into().ok()?;
    Some(bytes.into())
}

fn port(tuple: &[u8], kind: u16) -> Option<u16> {
    Some(u16::from_be_bytes(attribute(attribute(tuple, 2)?, kind)?.try_into().ok()?))
}
