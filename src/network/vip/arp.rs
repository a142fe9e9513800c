//! Gratuitous ARP (RFC 5227, section 3; RFC 826).

use std::net::Ipv4Addr;

/// An announcement: a request for one's own address. A request, because a neighbour takes it at once, while a reply to
/// all is ignored for entries that are less than a second old.
pub(super) fn announcement(mac: [u8; 6], address: Ipv4Addr) -> [u8; 42] {
    let mut frame = [0; 42];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&mac);
    // ARP; Ethernet and IPv4 with their address lengths; a request.
    frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address.octets());
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_as_the_rfc_has_it() {
        let frame = announcement([2, 0, 10, 89, 0, 11], Ipv4Addr::new(10, 89, 0, 10));
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "ffffffffffff\
             02000a59000b\
             0806\
             0001080006040001\
             02000a59000b0a59000a\
             0000000000000a59000a"
        );
    }
}
