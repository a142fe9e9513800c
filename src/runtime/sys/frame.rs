//! Link layer frames.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The Ethernet header's length: destination, source, type.
const HEADER: usize = 14;

/// Sends a whole Ethernet frame out of an interface of this process's network namespace.
///
/// # Errors
/// The frame is shorter than its header, the interface is gone or down, or this process lacks `CAP_NET_RAW`.
pub fn send_frame(interface: u32, frame: &[u8]) -> io::Result<()> {
    let (Some(destination), Some([high, low])) = (frame.get(..6), frame.get(12..HEADER)) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an Ethernet frame has at least 14 bytes"));
    };
    let interface = i32::try_from(interface).map_err(io::Error::other)?;
    // Protocol 0: nothing is received.
    // SAFETY: plain integers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(super::os_error("open a packet socket"));
    }
    // SAFETY: the descriptor was just returned to us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: sockaddr_ll is plain data for which all zeroes is valid.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_protocol = u16::from_ne_bytes([*high, *low]);
    to.sll_ifindex = interface;
    to.sll_halen = 6;
    to.sll_addr[..6].copy_from_slice(destination);
    // SAFETY: the frame's bytes and the address are valid for the lengths given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            std::mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    match usize::try_from(sent) {
        Ok(sent) if sent == frame.len() => Ok(()),
        _ => Err(super::os_error(format!("send a frame out of interface {interface}"))),
    }
}
