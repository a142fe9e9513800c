//! Servers that say who they are and whom they see, and clients that ask.

use crate::lab::Netns;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_millis(1500);

/// Answers TCP connections with its name and the client's address, then echoes, until the process ends.
pub fn tcp_server(netns: &Netns, name: &str, port: u16) {
    let name = name.to_owned();
    let listener = netns.run(move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), name) = (stream, name.clone()) else {
                continue;
            };
            std::thread::spawn(move || {
                let peer = stream.peer_addr().map(|a| a.ip().to_string()).unwrap_or_default();
                let _ = stream.write_all(format!("{name} {peer}\n").as_bytes());
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    let _ = stream.write_all(&buffer[..length]);
                }
            });
        }
    });
}

/// Answers each datagram with its name.
pub fn udp_server(netns: &Netns, name: &str, port: u16) {
    let name = name.to_owned();
    let socket = netns.run(move || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(name.as_bytes(), client);
        }
    });
}

/// The server's name and the client's address as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub server: String,
    pub client: String,
}

pub fn connect(to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::V4(to), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

pub fn greeting(stream: &mut TcpStream) -> std::io::Result<Seen> {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    let (server, client) = line.split_once(' ').ok_or_else(|| std::io::Error::from(ErrorKind::UnexpectedEof))?;
    Ok(Seen { server: server.to_owned(), client: client.to_owned() })
}

fn fetch(to: SocketAddrV4) -> std::io::Result<Seen> {
    greeting(&mut connect(to)?)
}

/// Connects from a namespace.
pub fn try_ask(from: &Netns, to: &str) -> std::io::Result<Seen> {
    let to: SocketAddrV4 = to.parse().unwrap();
    from.run(move || fetch(to))
}

#[track_caller]
pub fn ask(from: &Netns, to: &str) -> Seen {
    try_ask(from, to).unwrap_or_else(|e| panic!("{to}: {e}"))
}

/// Connects often and gathers the servers' names.
#[track_caller]
pub fn ask_often(from: &Netns, to: &str, times: usize) -> Vec<String> {
    let address: SocketAddrV4 = to.parse().unwrap();
    let all = from.run(move || (0..times).map(|_| fetch(address)).collect::<Vec<_>>());
    let mut names: Vec<String> =
        all.into_iter().map(|seen| seen.unwrap_or_else(|e| panic!("{to}: {e}")).server).collect();
    names.sort();
    names
}

pub fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.dedup();
    names
}

/// A UDP client that keeps its port.
pub fn udp_client(from: &Netns, to: &str) -> UdpSocket {
    let to: SocketAddrV4 = to.parse().unwrap();
    from.run(move || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    })
}

pub fn udp_ask(socket: &UdpSocket) -> std::io::Result<String> {
    socket.send(b"who")?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
