//! Address ranges that are not in use on this machine.

use crate::plan::PlanError;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The ranges of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    /// Hosts, a /24.
    pub hosts: Ipv4Net,
    /// Pods, a /16.
    pub pods: Ipv4Net,
    /// Services, a /16.
    pub services: Ipv4Net,
}

fn net(a: u8, b: u8, c: u8, length: u8) -> Option<Ipv4Net> {
    Ipv4Net::new(Ipv4Addr::new(a, b, c, 0), length).ok()
}

/// What of `used` (routes and addresses of this machine, ranges of its other local clusters) a range overlaps. A default route is
/// not a use.
pub fn overlapped(range: Ipv4Net, used: &[Ipv4Net]) -> Option<Ipv4Net> {
    let overlaps = |other: &&Ipv4Net| range.contains(&other.network()) || other.contains(&range.network());
    used.iter().filter(|other| other.prefix_len() > 0).find(overlaps).copied()
}

/// The first of each kind that overlaps nothing of `used`.
///
/// # Errors
/// Nothing is left.
pub fn choose_ranges(used: &[Ipv4Net]) -> Result<Ranges, PlanError> {
    let free = |candidate: &Ipv4Net| overlapped(*candidate, used).is_none();
    let missing = |what: &str| PlanError::Ranges { what: what.to_owned() };
    let hosts = (0..=255).filter_map(|c| net(10, 89, c, 24));
    let hosts = hosts.chain((0..=255).filter_map(|c| net(172, 31, c, 24)));
    let pods = (244..=255).chain(200..244).filter_map(|b| net(10, b, 0, 16));
    let services = (96..=127).filter_map(|b| if b == 89 { None } else { net(10, b, 0, 16) });
    Ok(Ranges {
        hosts: hosts.clone().find(&free).ok_or_else(|| missing("a /24 of 10.89.0.0/16 or 172.31.0.0/16 for hosts"))?,
        pods: pods.clone().find(&free).ok_or_else(|| missing("a /16 of 10.200-255.0.0 for pods"))?,
        services: services.clone().find(&free).ok_or_else(|| missing("a /16 of 10.96-127.0.0 for services"))?,
    })
}
