//! The listener on the virtual address, and closing it without turning anybody away.

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use tokio::net::TcpListener;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A listener on an address that need not be here yet, and need not stay.
///
/// # Errors
/// Somebody else listens there.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv4() {
        socket.set_freebind_v4(true)?;
    } else {
        socket.set_freebind_v6(true)?;
    }
    // What the kernel still has of earlier connections is no reason against a new listener.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Holds a listener open, so that the kernel refuses nobody after it was dropped elsewhere.
pub struct Gate(OwnedFd);

impl Gate {
    /// Of a listener.
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.as_fd().try_clone_to_owned().map(Self)
    }

    /// From now on the kernel drops the first packet of every new connection: the client sends it again a second later,
    /// and finds the next carrier. What has begun goes on.
    pub fn close(&self) -> io::Result<()> {
        // Classic BPF over the TCP header: byte 13 has the flags, 2 is SYN; 0 drops the packet.
        const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
        const JUMP_IF_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
        const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        SockRef::from(&self.0).attach_filter(&[
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(JUMP_IF_SET, 0, 1, 2),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn listens_where_no_address_is() {
        // TEST-NET-1 (RFC 5737).
        let listener = listen("192.0.2.1:0".parse().unwrap()).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip().to_string(), "192.0.2.1");
    }

    #[tokio::test]
    async fn a_closed_gate_refuses_nobody_and_breaks_nothing() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Gate::of(&listener).unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        gate.close().unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        drop(listener);
        client.write_all(b"?").await.unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).await.unwrap();
        server.write_all(b"!").await.unwrap();
        client.read_exact(&mut byte).await.unwrap();
        // A new one is neither accepted nor refused; with the gate gone, it is refused.
        let new = tokio::spawn(TcpStream::connect(address));
        tokio::task::yield_now().await;
        assert!(!new.is_finished());
        drop(gate);
        assert!(new.await.unwrap().is_err());
    }
}
