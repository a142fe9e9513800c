//! Which address a pod gets. Pure: what is taken is what the kernel says is attached.

use ipnet::Ipv4Net;
use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// The node's pod addresses.
#[derive(Debug, Clone)]
pub struct Ipam {
    range: Ipv4Net,
    /// The last address handed out: the search goes on behind it.
    cursor: u32,
    /// Given back, oldest first: peers and clients may still send there, so these come last.
    freed: VecDeque<Ipv4Addr>,
}

impl Ipam {
    /// Allocates from a range; its network, first and broadcast addresses are left out.
    pub fn new(range: Ipv4Net) -> Self {
        let range = range.trunc();
        Self { range, cursor: u32::from(range.network()) + 1, freed: VecDeque::new() }
    }

    /// The range.
    pub fn range(&self) -> Ipv4Net {
        self.range
    }

    /// An address that is not `taken`: the previous one if it can be, else the next; none if all are taken.
    pub fn allocate(&mut self, taken: &BTreeSet<Ipv4Addr>, previous: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let free = |ip: &Ipv4Addr| self.usable(*ip) && !taken.contains(ip);
        let chosen = match previous.filter(free) {
            Some(ip) => ip,
            None => match self.search(|ip| free(&ip) && !self.freed.contains(&ip)) {
                Some(ip) => {
                    self.cursor = u32::from(ip);
                    ip
                }
                None => self.freed.iter().copied().find(free)?,
            },
        };
        self.freed.retain(|ip| *ip != chosen);
        Some(chosen)
    }

    /// Takes an address back.
    pub fn free(&mut self, ip: Ipv4Addr) {
        if self.usable(ip) {
            self.freed.retain(|known| *known != ip);
            self.freed.push_back(ip);
        }
    }

    fn bounds(&self) -> (u32, u32) {
        let (network, broadcast) = (u32::from(self.range.network()), u32::from(self.range.broadcast()));
        (network.saturating_add(2), broadcast.saturating_sub(1))
    }

    fn usable(&self, ip: Ipv4Addr) -> bool {
        let (first, last) = self.bounds();
        (first..=last).contains(&u32::from(ip))
    }

    fn search(&self, fits: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let (first, last) = self.bounds();
        let behind = self.cursor.saturating_add(1).max(first);
        (behind..=last).chain(first..behind.min(last.saturating_add(1))).map(Ipv4Addr::from).find(|ip| fits(*ip))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 244, 1, last)
    }

    #[test]
    fn skips_the_reserved_and_hands_out_every_other() {
        let mut ipam = Ipam::new("10.244.1.0/29".parse().unwrap());
        let mut taken = BTreeSet::new();
        while let Some(ip) = ipam.allocate(&taken, None) {
            assert!(taken.insert(ip));
        }
        assert_eq!(taken, (2..=6).map(ip).collect());
    }

    #[test]
    fn prefers_the_previous_and_does_not_reuse_at_once() {
        let mut ipam = Ipam::new("10.244.1.0/28".parse().unwrap());
        assert_eq!(ipam.allocate(&BTreeSet::new(), Some(ip(9))), Some(ip(9)));
        assert_eq!(ipam.allocate(&BTreeSet::from([ip(9)]), Some(ip(9))), Some(ip(2)));
        assert_eq!(ipam.allocate(&BTreeSet::new(), Some(Ipv4Addr::new(10, 9, 9, 9))), Some(ip(3)));
        let mut seen = vec![ip(3)];
        for _ in 0..11 {
            ipam.free(*seen.last().unwrap());
            let next = ipam.allocate(&BTreeSet::new(), None).unwrap();
            assert!(!seen.contains(&next), "{next} was just freed");
            seen.push(next);
        }
        ipam.free(*seen.last().unwrap());
        // All have been used: the one freed longest ago comes first, and its previous owner may always have it back.
        assert_eq!(ipam.allocate(&BTreeSet::new(), None), Some(ip(2)));
    }

    proptest! {
        #[test]
        fn never_gives_a_taken_or_reserved_address(
            prefix in 24u8..=29,
            steps in proptest::collection::vec((any::<bool>(), any::<u8>()), 1..400),
        ) {
            let range: Ipv4Net = format!("10.244.1.0/{prefix}").parse().unwrap();
            let mut ipam = Ipam::new(range);
            let mut taken = BTreeSet::new();
            for (take, pick) in steps {
                if take {
                    match ipam.allocate(&taken, Some(Ipv4Addr::new(10, 244, 1, pick)).filter(|_| pick % 3 == 0)) {
                        Some(ip) => {
                            prop_assert!(taken.insert(ip));
                            prop_assert!(range.contains(&ip) && ip != range.network() && ip != range.broadcast());
                            prop_assert_ne!(u32::from(ip), u32::from(range.network()) + 1);
                        }
                        None => prop_assert_eq!(taken.len(), (1usize << (32 - prefix)) - 3),
                    }
                } else if let Some(ip) = taken.iter().nth(usize::from(pick) % taken.len().max(1)).copied() {
                    taken.remove(&ip);
                    ipam.free(ip);
                }
            }
        }
    }
}
