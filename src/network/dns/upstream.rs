//! Asking upstream: by UDP, by TCP where the answer is longer, one server after the other.

use crate::dns::wire;
use crate::links::Namespace;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

/// For one server and one try.
const PATIENCE: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;

/// The servers that are asked, in order.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where the sockets are opened.
    pub namespace: Namespace,
    /// The servers.
    pub servers: Vec<SocketAddr>,
}

impl Upstream {
    /// The first answer to a question, which keeps the question's id; none if nobody answers.
    pub async fn ask(&self, question: &[u8], whole: bool) -> Option<Vec<u8>> {
        for _ in 0..ROUNDS {
            for server in &self.servers {
                match timeout(PATIENCE, self.ask_one(*server, question, whole)).await {
                    Ok(Ok(answer)) => return Some(answer),
                    Ok(Err(error)) => tracing::debug!(%server, %error, "upstream name server"),
                    Err(_) => tracing::debug!(%server, "upstream name server does not answer"),
                }
            }
        }
        None
    }

    async fn ask_one(&self, server: SocketAddr, question: &[u8], whole: bool) -> std::io::Result<Vec<u8>> {
        let id: [u8; 2] = rand::random();
        let mut sent = question.to_vec();
        sent[..2].copy_from_slice(&id);
        let mut answer = self.by_udp(server, &sent).await?;
        if whole && wire::is_truncated(&answer) {
            answer = self.by_tcp(server, &sent).await?;
        }
        answer[..2].copy_from_slice(&question[..2]);
        Ok(answer)
    }

    async fn by_udp(&self, server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = self.open(move || UdpSocket::from_std(nonblocking(SocketAddr::new(any, 0))?)).await?;
        socket.connect(server).await?;
        socket.send(question).await?;
        let mut buffer = vec![0; 4096];
        loop {
            let length = socket.recv(&mut buffer).await?;
            if wire::answers(question, &buffer[..length]) {
                buffer.truncate(length);
                return Ok(buffer);
            }
        }
    }

    async fn by_tcp(&self, server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
        let socket =
            self.open(move || if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }).await?;
        let mut stream = socket.connect(server).await?;
        write_message(&mut stream, question).await?;
        let answer = read_message(&mut stream).await?;
        if wire::answers(question, &answer) {
            return Ok(answer);
        }
        Err(std::io::Error::other("an answer to another question"))
    }

    async fn open<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        if self.namespace.is_own() {
            return open();
        }
        let opened = self.namespace.run(move || Ok(open())).await;
        opened.map_err(|e| std::io::Error::other(e.to_string()))?
    }
}

fn nonblocking(address: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Reads one message of a stream: its length, then itself.
pub async fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Writes one message to a stream, in one piece.
pub async fn write_message(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| std::io::Error::other("a message above 64 KiB"))?;
    let mut framed = Vec::with_capacity(message.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    stream.write_all(&framed).await
}
