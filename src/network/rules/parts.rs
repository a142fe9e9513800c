//! What rules are put together from.

use crate::nft::{Expr, Header, MetaKey, Verdict, reg};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A rule: its expressions, in order.
pub type Rule = Vec<Expr>;

/// The mark's bit that asks for masquerade; kube-proxy's, so that nobody has to learn another.
pub const MARK: u32 = 0x4000;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_OR_RELATED: u32 = 0b110;
/// `NF_CT_STATE_INVALID_BIT`.
pub const INVALID: u32 = 1;
/// The address type of this host's own addresses.
pub const RTN_LOCAL: u32 = 2;

/// Goes through another chain.
pub fn jump(chain: &str) -> Expr {
    Expr::Verdict(Verdict::Jump(chain.to_owned()))
}

/// Loads bytes of the IPv4 header.
pub fn network(register: u32, offset: u32, len: u32) -> Expr {
    Expr::Payload { dreg: reg(register), header: Header::Network, offset, len }
}

/// Loads destination, protocol and port to registers 0 to 2.
pub fn load_front() -> Rule {
    [vec![network(0, 16, 4)], load_port(1)].concat()
}

/// Loads protocol and destination port to a register and the next.
pub fn load_port(register: u32) -> Rule {
    vec![
        Expr::Meta { dreg: reg(register), key: MetaKey::L4Proto },
        Expr::Payload { dreg: reg(register + 1), header: Header::Transport, offset: 2, len: 2 },
    ]
}

/// Loads the address type of the source or destination to register 0.
pub fn fib(source: bool) -> Expr {
    Expr::FibType { dreg: reg(0), source }
}

/// Compares a register with a number in the host's byte order.
pub fn is(register: u32, equal: bool, value: u32) -> Expr {
    Expr::Cmp { sreg: reg(register), equal, data: value.to_ne_bytes().to_vec() }
}

fn in_range(offset: u32, net: Ipv4Net, equal: bool) -> Rule {
    let mask = net.netmask().octets().to_vec();
    vec![
        network(0, offset, 4),
        Expr::Bitwise { sreg: reg(0), dreg: reg(0), mask, xor: vec![0; 4] },
        Expr::Cmp { sreg: reg(0), equal, data: net.network().octets().to_vec() },
    ]
}

/// Goes on if the source is (or is not) in a range.
pub fn source_in(net: Ipv4Net, equal: bool) -> Rule {
    in_range(12, net, equal)
}

/// Goes on if the destination is (or is not) in a range.
pub fn destination_in(net: Ipv4Net, equal: bool) -> Rule {
    in_range(16, net, equal)
}

/// Goes on if the destination is (or is not) an address.
pub fn destination_is(ip: Ipv4Addr, equal: bool) -> Rule {
    vec![network(0, 16, 4), Expr::Cmp { sreg: reg(0), equal, data: ip.octets().to_vec() }]
}

/// 127.0.0.0/8.
pub fn loopback() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)
}

/// Sets our bit of the packet's mark.
pub fn mark() -> Rule {
    vec![
        Expr::Meta { dreg: reg(0), key: MetaKey::Mark },
        Expr::Bitwise {
            sreg: reg(0),
            dreg: reg(0),
            mask: (!MARK).to_ne_bytes().to_vec(),
            xor: MARK.to_ne_bytes().to_vec(),
        },
        Expr::MetaSet { sreg: reg(0), key: MetaKey::Mark },
    ]
}

/// Goes on if the connection has one of these states.
pub fn state(bits: u32) -> Rule {
    vec![
        Expr::CtState { dreg: reg(0) },
        Expr::Bitwise { sreg: reg(0), dreg: reg(0), mask: bits.to_ne_bytes().to_vec(), xor: vec![0; 4] },
        is(0, false, 0),
    ]
}

/// Lets packets of known connections pass.
pub fn established() -> Rule {
    [state(ESTABLISHED_OR_RELATED), vec![Expr::Verdict(Verdict::Accept)]].concat()
}
