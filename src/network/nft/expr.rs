//! Expressions of nf_tables rules (`linux/netfilter/nf_tables.h`): the few that our rules are made of.

use crate::nft::attr::Attrs;

/// The number of the nth 32-bit register (`NFT_REG32_00` and on).
pub const fn reg(n: u32) -> u32 {
    8 + n
}

/// `NFT_REG_VERDICT`.
const VERDICT: u32 = 0;
const ELEM: u16 = 1;

/// What a rule or a verdict map's element decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let the packet pass this base chain.
    Accept,
    /// Drop it.
    Drop,
    /// Back to the calling chain.
    Return,
    /// Into another chain and back.
    Jump(String),
    /// Into another chain, not back.
    Goto(String),
}

impl Verdict {
    /// Writes the nested attributes of a verdict.
    pub fn encode(&self, attrs: &mut Attrs) {
        let (code, chain) = match self {
            Self::Drop => (0, None),
            Self::Accept => (1, None),
            Self::Return => (-5, None),
            Self::Jump(chain) => (-3, Some(chain)),
            Self::Goto(chain) => (-4i32, Some(chain)),
        };
        attrs.nest(2, |a| {
            a.bytes(1, &code.to_be_bytes());
            if let Some(chain) = chain {
                a.text(2, chain);
            }
        });
    }
}

/// A packet's header that payload loads count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// `NFT_PAYLOAD_NETWORK_HEADER`.
    Network = 1,
    /// `NFT_PAYLOAD_TRANSPORT_HEADER`.
    Transport = 2,
}

/// What `meta` loads or stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaKey {
    /// The packet's mark.
    Mark = 3,
    /// The transport protocol's number.
    L4Proto = 16,
}

/// One expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Loads bytes of the packet.
    Payload { dreg: u32, header: Header, offset: u32, len: u32 },
    /// Loads a property of the packet.
    Meta { dreg: u32, key: MetaKey },
    /// Sets a property of the packet.
    MetaSet { sreg: u32, key: MetaKey },
    /// Loads the connection's state bits.
    CtState { dreg: u32 },
    /// Loads the address type of the source or destination (`RTN_LOCAL` and so on).
    FibType { dreg: u32, source: bool },
    /// Goes on if the register is equal (or not equal) to the bytes.
    Cmp { sreg: u32, equal: bool, data: Vec<u8> },
    /// Loads a constant.
    Immediate { dreg: u32, data: Vec<u8> },
    /// Decides.
    Verdict(Verdict),
    /// `dreg = (sreg & mask) ^ xor`.
    Bitwise { sreg: u32, dreg: u32, mask: Vec<u8>, xor: Vec<u8> },
    /// Goes on if the key is in the set.
    InSet { set: String, sreg: u32 },
    /// Loads the map's value of the key, or ends the rule.
    MapValue { map: String, sreg: u32, dreg: u32 },
    /// Takes the map's verdict of the key, or ends the rule.
    MapVerdict { map: String, sreg: u32 },
    /// Loads a random number from `offset` to `offset + modulus - 1`.
    Random { dreg: u32, modulus: u32, offset: u32 },
    /// Rewrites the destination.
    Dnat { addr: u32, port: u32 },
    /// Rewrites the source's address, with a random port.
    Snat { addr: u32 },
    /// Rewrites the source to the outgoing interface's address, with a random port.
    Masquerade,
    /// Counts packets and bytes.
    Counter,
    /// Answers a TCP packet with RST.
    RejectTcp,
    /// Answers with ICMP port unreachable.
    RejectIcmp,
    /// Puts or refreshes a map's element.
    Update { map: String, key: u32, data: u32, timeout_ms: u64 },
    /// Takes a map's element away.
    Forget { map: String, key: u32, data: u32 },
}

/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const RANDOM_FULLY: u32 = 16;
const FAMILY_IP: u32 = 2;

impl Expr {
    /// Its name in the kernel.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "payload",
            Self::Meta { .. } | Self::MetaSet { .. } => "meta",
            Self::CtState { .. } => "ct",
            Self::FibType { .. } => "fib",
            Self::Cmp { .. } => "cmp",
            Self::Immediate { .. } | Self::Verdict(_) => "immediate",
            Self::Bitwise { .. } => "bitwise",
            Self::InSet { .. } | Self::MapValue { .. } | Self::MapVerdict { .. } => "lookup",
            Self::Random { .. } => "numgen",
            Self::Dnat { .. } | Self::Snat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::Counter => "counter",
            Self::RejectTcp | Self::RejectIcmp => "reject",
            Self::Update { .. } | Self::Forget { .. } => "dynset",
        }
    }

    /// Writes the expression as one list element.
    pub fn encode(&self, attrs: &mut Attrs) {
        attrs.nest(ELEM, |a| {
            a.text(1, self.name());
            a.nest(2, |a| self.data(a));
        });
    }

    fn data(&self, a: &mut Attrs) {
        match self {
            Self::Payload { dreg, header, offset, len } => {
                a.be32(1, *dreg).be32(2, *header as u32).be32(3, *offset).be32(4, *len);
            }
            Self::Meta { dreg, key } => {
                a.be32(1, *dreg).be32(2, *key as u32);
            }
            Self::MetaSet { sreg, key } => {
                a.be32(2, *key as u32).be32(3, *sreg);
            }
            Self::CtState { dreg } => {
                a.be32(1, *dreg).be32(2, 0);
            }
            Self::FibType { dreg, source } => {
                a.be32(1, *dreg).be32(2, 3).be32(3, if *source { 1 } else { 2 });
            }
            Self::Cmp { sreg, equal, data } => {
                a.be32(1, *sreg).be32(2, u32::from(!equal)).nest(3, |a| value(a, data));
            }
            Self::Immediate { dreg, data } => {
                a.be32(1, *dreg).nest(2, |a| value(a, data));
            }
            Self::Verdict(verdict) => {
                a.be32(1, VERDICT).nest(2, |a| verdict.encode(a));
            }
            Self::Bitwise { sreg, dreg, mask, xor } => {
                a.be32(1, *sreg).be32(2, *dreg).be32(3, mask.len() as u32);
                a.nest(4, |a| value(a, mask)).nest(5, |a| value(a, xor));
            }
            Self::InSet { set, sreg } => {
                a.text(1, set).be32(2, *sreg);
            }
            Self::MapValue { map, sreg, dreg } => {
                a.text(1, map).be32(2, *sreg).be32(3, *dreg);
            }
            Self::MapVerdict { map, sreg } => {
                a.text(1, map).be32(2, *sreg).be32(3, VERDICT);
            }
            Self::Random { dreg, modulus, offset } => {
                a.be32(1, *dreg).be32(2, *modulus).be32(3, 1).be32(4, *offset);
            }
            Self::Dnat { addr, port } => {
                a.be32(1, 1).be32(2, FAMILY_IP).be32(3, *addr).be32(5, *port);
            }
            Self::Snat { addr } => {
                a.be32(1, 0).be32(2, FAMILY_IP).be32(3, *addr).be32(7, RANDOM_FULLY);
            }
            Self::Masquerade => {
                a.be32(1, RANDOM_FULLY);
            }
            Self::Counter => {
                a.be64(1, 0).be64(2, 0);
            }
            Self::RejectTcp => {
                a.be32(1, 1).bytes(2, &[0]);
            }
            Self::RejectIcmp => {
                a.be32(1, 0).bytes(2, &[3]);
            }
            Self::Update { map, key, data, timeout_ms } => {
                a.text(1, map).be32(3, 1).be32(4, *key).be32(5, *data).be64(6, *timeout_ms);
            }
            Self::Forget { map, key, data } => {
                a.text(1, map).be32(3, 2).be32(4, *key).be32(5, *data);
            }
        }
    }
}

fn value(attrs: &mut Attrs, data: &[u8]) {
    attrs.bytes(1, data);
}
