//! How interfaces are called and what their aliases say.

use std::net::Ipv4Addr;

/// Host ends all have the same address, so that a pod's permanent neighbour is always the same.
pub const HOST_MAC: [u8; 6] = [0xee; 6];

/// The pods' gateway: answered by nobody, its neighbour entry is permanent.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The pod's end.
pub const POD_END: &str = "eth0";

/// The host's end for a uid: the prefix and 48 bits of FNV-1a (the kernel allows 15 characters).
pub fn host_end(prefix: &str, uid: &str) -> String {
    let hash = uid
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{prefix}{:012x}", (hash ^ (hash >> 48)) & 0xffff_ffff_ffff)
}

/// The pod end's hardware address, made of its IP.
pub fn pod_mac(ip: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = ip.octets();
    [0x0a, 0x58, a, b, c, d]
}

/// The alias of a host's end: the kernel remembers whose it is, and the address.
pub fn alias(uid: &str, ip: Ipv4Addr) -> String {
    format!("{uid} {ip}")
}

/// Reads an alias.
pub fn parse_alias(alias: &str) -> Option<(String, Ipv4Addr)> {
    let (uid, ip) = alias.rsplit_once(' ')?;
    Some((uid.to_owned(), ip.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_are_stable_and_fit_an_interface() {
        let name = host_end("rm", "2f1b0e0c-5a53-4b0e-9f0e-0d4f6a3f5b11");
        assert_eq!(name, host_end("rm", "2f1b0e0c-5a53-4b0e-9f0e-0d4f6a3f5b11"));
        assert_ne!(name, host_end("rm", "2f1b0e0c-5a53-4b0e-9f0e-0d4f6a3f5b12"));
        assert!(name.len() <= 15 && name.starts_with("rm"), "{name}");
    }

    #[test]
    fn an_alias_is_read_back() {
        let ip = Ipv4Addr::new(10, 244, 1, 7);
        assert_eq!(parse_alias(&alias("u id", ip)), Some(("u id".to_owned(), ip)));
        assert_eq!(parse_alias("someone else's"), None);
    }

    #[test]
    fn pods_have_unicast_local_addresses() {
        assert_eq!(pod_mac(Ipv4Addr::new(10, 0, 0, 1))[0] & 3, 2);
        assert_eq!(HOST_MAC[0] & 3, 2);
    }
}
