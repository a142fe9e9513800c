//! From one rule set to another in two transactions.
//!
//! A packet looks up two maps, and a transaction may be committed between the two look-ups. So a front never leads to more
//! places than both the old and the new endpoints' map hold: a shrinking one is changed before its endpoints go, a growing
//! one after its endpoints came.

use crate::rules::model::{Balancer, Front, Ruleset, Side, Slot, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// One change of the maps. Within a transaction, deletions of a key precede its additions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A chain that must exist.
    Chain(Balancer),
    /// An endpoint gets its place.
    AddSlot(Slot, SocketAddrV4),
    /// A place is emptied.
    DeleteSlot(Slot),
    /// A front gets its target.
    AddTarget(Front, Side, Target),
    /// A front loses this target.
    DeleteTarget(Front, Side, Target),
    /// An endpoint gets its place among those of clients with affinity.
    AddChoice(Slot, SocketAddrV4),
    /// That place is emptied.
    DeleteChoice(Slot),
    /// An affinity may lead here.
    AddPin(Front, SocketAddrV4),
    /// It may no longer.
    DeletePin(Front, SocketAddrV4),
    /// A local endpoint.
    AddHairpin(Ipv4Addr),
    /// No longer one.
    DeleteHairpin(Ipv4Addr),
}

/// Changes that become true together.
pub type Transaction = Vec<Change>;

/// The transactions from `old` to `new`, in order; none if they are equal. `chains` exist already.
pub fn diff(old: &Ruleset, new: &Ruleset, chains: &BTreeSet<Balancer>) -> Vec<Transaction> {
    let mut first = Transaction::new();
    let mut second = Transaction::new();
    // In ascending order, so that an unmarked chain precedes the marked one that goes to it.
    first.extend(new.balancers().difference(chains).map(|b| Change::Chain(*b)));
    first.extend(new.hairpin.difference(&old.hairpin).map(|ip| Change::AddHairpin(*ip)));
    first.extend(new.pins.difference(&old.pins).map(|(front, to)| Change::AddPin(*front, *to)));
    slots(&old.slots, &new.slots, (Change::AddSlot, Change::DeleteSlot), &mut first, &mut second);
    slots(&old.choices, &new.choices, (Change::AddChoice, Change::DeleteChoice), &mut first, &mut second);
    targets(old, new, &mut first, &mut second);
    second.extend(old.pins.difference(&new.pins).map(|(front, to)| Change::DeletePin(*front, *to)));
    second.extend(old.hairpin.difference(&new.hairpin).map(|ip| Change::DeleteHairpin(*ip)));
    [first, second].into_iter().filter(|t| !t.is_empty()).collect()
}

type Places = BTreeMap<Slot, SocketAddrV4>;
type AddDelete = (fn(Slot, SocketAddrV4) -> Change, fn(Slot) -> Change);

fn slots(old: &Places, new: &Places, (add, delete): AddDelete, first: &mut Transaction, second: &mut Transaction) {
    for (slot, address) in new {
        match old.get(slot) {
            Some(before) if before == address => {}
            Some(_) => first.extend([delete(*slot), add(*slot, *address)]),
            None => first.push(add(*slot, *address)),
        }
    }
    second.extend(old.keys().filter(|slot| !new.contains_key(slot)).map(|slot| delete(*slot)));
}

fn targets(old: &Ruleset, new: &Ruleset, first: &mut Transaction, second: &mut Transaction) {
    for (&(front, side), &target) in &new.targets {
        let before = old.targets.get(&(front, side)).copied();
        if before == Some(target) {
            continue;
        }
        let transaction = if grows(before, target) { &mut *second } else { &mut *first };
        transaction.extend(before.map(|t| Change::DeleteTarget(front, side, t)));
        transaction.push(Change::AddTarget(front, side, target));
    }
    for (&(front, side), &target) in &old.targets {
        if !new.targets.contains_key(&(front, side)) {
            first.push(Change::DeleteTarget(front, side, target));
        }
    }
}

fn grows(before: Option<Target>, after: Target) -> bool {
    match (before, after) {
        (Some(Target::Balance(before)), Target::Balance(after)) => after.count > before.count,
        (_, Target::Balance(_)) => true,
        _ => false,
    }
}
