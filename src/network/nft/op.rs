//! Changes of a table, and their messages.

use crate::nft::attr::Attrs;
use crate::nft::expr::{Expr, Verdict};
use std::fmt;

/// Where a base chain hooks in: `NF_INET_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `NF_INET_PRE_ROUTING`.
    Prerouting = 0,
    /// `NF_INET_LOCAL_IN`.
    Input = 1,
    /// `NF_INET_FORWARD`.
    Forward = 2,
    /// `NF_INET_LOCAL_OUT`.
    Output = 3,
    /// `NF_INET_POST_ROUTING`.
    Postrouting = 4,
}

/// What makes a chain a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// `nat` or `filter`.
    pub kind: &'static str,
    /// The hook.
    pub hook: Hook,
    /// The place among the hook's chains.
    pub priority: i32,
}

/// An nft data type by its real id (nftables' `datatypes`), so that the nft program can list our sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// `ipv4_addr`.
    Ipv4Addr = 7,
    /// `inet_proto`.
    InetProto = 12,
    /// `inet_service`.
    InetService = 13,
    /// `mark`: a 32-bit number in the host's byte order.
    Mark = 19,
}

/// What a set holds beside its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetKind {
    /// Nothing.
    Set,
    /// Values.
    Map(Vec<DataType>),
    /// Verdicts.
    VerdictMap,
    /// Values put by rules that expire; at most `size`.
    Dynamic { data: Vec<DataType>, size: u32 },
}

/// A named set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// The key's parts, each padded to four bytes.
    pub key: Vec<DataType>,
    /// What it holds.
    pub kind: SetKind,
}

/// An element's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Bytes for registers.
    Value(Vec<u8>),
    /// A decision.
    Verdict(Verdict),
}

/// An element to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The key.
    pub key: Vec<u8>,
    /// The value, in maps.
    pub data: Option<Data>,
    /// Lifetime and what is left of it, milliseconds.
    pub timeout_ms: Option<(u64, u64)>,
}

/// One change of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Creates the table if it is absent.
    AddTable,
    /// Deletes it with everything in it.
    DeleteTable,
    /// Creates a chain.
    AddChain { name: String, base: Option<Base> },
    /// Appends a rule.
    AddRule { chain: String, exprs: Vec<Expr> },
    /// Creates a set.
    AddSet(Set),
    /// Adds elements; a known key with the same value is fine.
    AddElements { set: &'static str, elements: Vec<Element> },
    /// Deletes elements; an unknown key is an error.
    DeleteElements { set: &'static str, keys: Vec<Vec<u8>> },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTable => write!(f, "add the table"),
            Self::DeleteTable => write!(f, "delete the table"),
            Self::AddChain { name, .. } => write!(f, "add chain {name}"),
            Self::AddRule { chain, exprs } => {
                let names: Vec<&str> = exprs.iter().map(Expr::name).collect();
                write!(f, "add a rule ({}) to chain {chain}", names.join(" "))
            }
            Self::AddSet(set) => write!(f, "add set {}", set.name),
            Self::AddElements { set, elements } => {
                write!(f, "add {} elements to {set}", elements.len())
            }
            Self::DeleteElements { set, keys } => {
                write!(f, "delete {} elements of {set}", keys.len())
            }
        }
    }
}

/// Elements' attributes stay below this, as an attribute's length has 16 bits.
const CHUNK: usize = 48 * 1024;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// One inner message: type, flags beside `NLM_F_REQUEST`, attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `NFT_MSG_*`.
    pub kind: u8,
    /// `NLM_F_CREATE` and the like.
    pub flags: u16,
    /// The body.
    pub attrs: Attrs,
}

impl Op {
    /// The change as messages about `table`: one, or several for long element lists.
    pub fn messages(&self, table: &str) -> Vec<Message> {
        let one = |kind: u8, flags: u16, fill: &dyn Fn(&mut Attrs)| {
            let mut attrs = Attrs::default();
            attrs.text(1, table);
            fill(&mut attrs);
            vec![Message { kind, flags, attrs }]
        };
        match self {
            Self::AddTable => one(0, CREATE, &|_| {}),
            Self::DeleteTable => one(2, 0, &|_| {}),
            Self::AddChain { name, base } => one(3, CREATE, &|a| {
                a.text(3, name);
                if let Some(base) = base {
                    a.nest(4, |a| {
                        a.be32(1, base.hook as u32).bytes(2, &base.priority.to_be_bytes());
                    });
                    a.be32(5, 1).text(7, base.kind);
                }
            }),
            Self::AddRule { chain, exprs } => one(6, CREATE | APPEND, &|a| {
                a.text(2, chain).nest(4, |a| exprs.iter().for_each(|e| e.encode(a)));
            }),
            Self::AddSet(set) => one(9, CREATE, &|a| set.encode(a)),
            Self::AddElements { set, elements } => {
                chunks(table, set, 12, CREATE, elements.iter().map(|e| move |a: &mut Attrs| e.encode(a)))
            }
            Self::DeleteElements { set, keys } => {
                chunks(table, set, 14, 0, keys.iter().map(|k| move |a: &mut Attrs| key(a, k)))
            }
        }
    }
}

fn key(attrs: &mut Attrs, bytes: &[u8]) {
    attrs.nest(1, |a| {
        a.nest(1, |a| {
            a.bytes(1, bytes);
        });
    });
}

fn chunks<F: Fn(&mut Attrs)>(
    table: &str,
    set: &str,
    kind: u8,
    flags: u16,
    elements: impl Iterator<Item = F>,
) -> Vec<Message> {
    let mut elements = elements.peekable();
    let mut messages = Vec::new();
    while elements.peek().is_some() {
        let mut attrs = Attrs::default();
        attrs.text(1, table).text(2, set).nest(3, |a| {
            let start = a.0.len();
            while a.0.len() - start < CHUNK {
                let Some(write) = elements.next() else { break };
                write(a);
            }
        });
        messages.push(Message { kind, flags, attrs });
    }
    messages
}

impl Element {
    fn encode(&self, attrs: &mut Attrs) {
        attrs.nest(1, |a| {
            a.nest(1, |a| {
                a.bytes(1, &self.key);
            });
            match &self.data {
                Some(Data::Value(bytes)) => {
                    a.nest(2, |a| {
                        a.bytes(1, bytes);
                    });
                }
                Some(Data::Verdict(verdict)) => {
                    a.nest(2, |a| verdict.encode(a));
                }
                None => {}
            }
            if let Some((timeout, left)) = self.timeout_ms {
                a.be64(4, timeout).be64(5, left);
            }
        });
    }
}

impl Set {
    fn encode(&self, a: &mut Attrs) {
        const MAP: u32 = 0x8;
        const TIMEOUT: u32 = 0x10;
        const EVAL: u32 = 0x20;
        let flags = match self.kind {
            SetKind::Set => 0,
            SetKind::Map(_) | SetKind::VerdictMap => MAP,
            SetKind::Dynamic { .. } => MAP | TIMEOUT | EVAL,
        };
        a.text(2, self.name).be32(3, flags);
        a.be32(4, concatenated(&self.key)).be32(5, 4 * self.key.len() as u32);
        match &self.kind {
            SetKind::Set => {}
            SetKind::Map(data) => {
                a.be32(6, concatenated(data)).be32(7, 4 * data.len() as u32);
            }
            SetKind::VerdictMap => {
                a.be32(6, 0xffff_ff00).be32(7, 16);
            }
            SetKind::Dynamic { data, size } => {
                a.be32(6, concatenated(data)).be32(7, 4 * data.len() as u32);
                a.nest(9, |a| {
                    a.be32(1, *size);
                });
            }
        }
        a.be32(10, self.name.bytes().fold(1, |id: u32, b| id.wrapping_mul(31).wrapping_add(u32::from(b))));
    }
}

/// nft packs the ids of a concatenation's parts into six bits each.
fn concatenated(parts: &[DataType]) -> u32 {
    parts.iter().fold(0, |id, part| (id << 6) | *part as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::nft::attr::{attribute, attributes};

    fn elements(count: u32) -> Op {
        let element = |n: u32| Element { key: n.to_be_bytes().to_vec(), data: None, timeout_ms: None };
        Op::AddElements { set: "hairpin", elements: (0..count).map(element).collect() }
    }

    #[test]
    fn long_element_lists_are_cut_below_the_attributes_limit() {
        let messages = elements(10_000).messages("t");
        assert!(messages.len() > 1);
        let lists: Vec<&[u8]> = messages.iter().map(|m| attribute(&m.attrs.0, 3).unwrap()).collect();
        assert!(lists.iter().all(|list| list.len() < 64 * 1024 - 4));
        assert_eq!(lists.iter().map(|list| attributes(list).count()).sum::<usize>(), 10_000);
        assert!(elements(0).messages("t").is_empty());
    }

    #[test]
    fn concatenated_types_have_nfts_ids() {
        // As `nft --debug=netlink` shows for ipv4_addr . inet_proto . inet_service.
        use DataType::{InetProto, InetService, Ipv4Addr};
        assert_eq!(concatenated(&[Ipv4Addr, InetProto, InetService]), (7 << 12) | (12 << 6) | 13);
    }
}
