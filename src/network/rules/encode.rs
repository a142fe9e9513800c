//! Changes of the maps as nf_tables changes.

use crate::border::Protocol;
use crate::nft::{Data, Element, Op, Verdict};
use crate::rules::balance::balancer;
use crate::rules::diff::Change;
use crate::rules::layout;
use crate::rules::model::{Front, Ruleset, Side, Slot, Target};
use crate::rules::place::Place;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The protocol's number.
pub fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

/// A transaction's messages, runs of one kind put together.
pub fn transaction(changes: &[Change], place: &Place) -> Vec<Op> {
    let mut ops = Vec::new();
    for change in changes {
        match *change {
            Change::Chain(chain) => ops.extend(balancer(&chain, place)),
            Change::AddSlot(slot, to) => add(&mut ops, maps(slot.front).endpoints, slot_element(slot, to)),
            Change::DeleteSlot(slot) => delete(&mut ops, maps(slot.front).endpoints, slot_key(slot)),
            Change::AddTarget(front, side, target) => {
                let (set, data) = target_place(front, side, target);
                add(&mut ops, set, element(front_key(front), data));
            }
            Change::DeleteTarget(front, side, target) => {
                delete(&mut ops, target_place(front, side, target).0, front_key(front));
            }
            Change::AddChoice(slot, to) => {
                let id = Some(Data::Value(pin_id(to).to_ne_bytes().to_vec()));
                add(&mut ops, maps(slot.front).choices, element(slot_key(slot), id));
            }
            Change::DeleteChoice(slot) => delete(&mut ops, maps(slot.front).choices, slot_key(slot)),
            Change::AddPin(front, to) => {
                add(&mut ops, maps(front).pins, element(pin_key(front, to), Some(Data::Value(endpoint(to)))));
            }
            Change::DeletePin(front, to) => delete(&mut ops, maps(front).pins, pin_key(front, to)),
            Change::AddHairpin(ip) => add(&mut ops, layout::HAIRPIN, element(hairpin_key(ip), None)),
            Change::DeleteHairpin(ip) => delete(&mut ops, layout::HAIRPIN, hairpin_key(ip)),
        }
    }
    ops
}

/// The whole table in one transaction, in place of whatever was there; `remembered` are clients with affinity, by map.
pub fn rebuild(all: &Ruleset, place: &Place, remembered: Vec<(&'static str, Vec<Element>)>) -> Vec<Op> {
    // Adding first lets the deletion succeed when there is no table.
    let mut ops = vec![Op::AddTable, Op::DeleteTable];
    ops.extend(layout::base(place));
    for step in crate::rules::diff::diff(&Ruleset::default(), all, &BTreeSet::new()) {
        ops.extend(transaction(&step, place));
    }
    ops.extend(remembered.into_iter().map(|(set, elements)| Op::AddElements { set, elements }));
    ops
}

fn add(ops: &mut Vec<Op>, name: &'static str, element: Element) {
    match ops.last_mut() {
        Some(Op::AddElements { set, elements }) if *set == name => elements.push(element),
        _ => ops.push(Op::AddElements { set: name, elements: vec![element] }),
    }
}

fn delete(ops: &mut Vec<Op>, name: &'static str, key: Vec<u8>) {
    match ops.last_mut() {
        Some(Op::DeleteElements { set, keys }) if *set == name => keys.push(key),
        _ => ops.push(Op::DeleteElements { set: name, keys: vec![key] }),
    }
}

fn element(key: Vec<u8>, data: Option<Data>) -> Element {
    Element { key, data, timeout_ms: None }
}

fn target_place(front: Front, side: Side, target: Target) -> (&'static str, Option<Data>) {
    let by_address = front.address.is_some();
    let verdict = match target {
        Target::Balance(balancer) => Verdict::Goto(balancer.chain()),
        Target::Drop => Verdict::Drop,
        Target::Reject if side == Side::Outside => Verdict::Return,
        Target::Reject => {
            return (if by_address { layout::REFUSED } else { layout::NODE_PORTS_REFUSED }, None);
        }
    };
    let map = match (by_address, side) {
        (true, Side::Inside) => layout::SERVICES,
        (true, Side::Outside) => layout::SERVICES_OUTSIDE,
        (false, Side::Inside) => layout::NODE_PORTS,
        (false, Side::Outside) => layout::NODE_PORTS_OUTSIDE,
    };
    (map, Some(Data::Verdict(verdict)))
}

/// Every part of a concatenated key takes a multiple of four bytes.
fn port_key(front: Front) -> [u8; 8] {
    let [high, low] = front.port.to_be_bytes();
    [protocol_number(front.protocol), 0, 0, 0, high, low, 0, 0]
}

fn front_key(front: Front) -> Vec<u8> {
    let mut key = front.address.map(|ip| ip.octets().to_vec()).unwrap_or_default();
    key.extend(port_key(front));
    key
}

fn maps(front: Front) -> layout::Maps {
    if front.address.is_some() { layout::BY_ADDRESS } else { layout::BY_PORT }
}

fn slot_key(slot: Slot) -> Vec<u8> {
    let mut key = front_key(slot.front);
    key.extend(slot.index.to_ne_bytes());
    key
}

fn endpoint(to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = to.ip().octets().to_vec();
    bytes.extend(to.port().to_be_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn slot_element(slot: Slot, to: SocketAddrV4) -> Element {
    element(slot_key(slot), Some(Data::Value(endpoint(to))))
}

/// What a client's affinity remembers of an endpoint: the same in every life of the process. Should two endpoints of one
/// front ever share an id, clients of both stay with one of them.
fn pin_id(to: SocketAddrV4) -> u32 {
    let bytes = to.ip().octets().into_iter().chain(to.port().to_be_bytes());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn pin_key(front: Front, to: SocketAddrV4) -> Vec<u8> {
    slot_key(Slot { front, index: pin_id(to) })
}

fn hairpin_key(ip: Ipv4Addr) -> Vec<u8> {
    [ip.octets(), ip.octets()].concat()
}
