//! The resolver's sockets and tasks.

use crate::border::{NetworkError, NodeNetwork, ServiceEntry};
use crate::dns::table::Table;
use crate::dns::upstream::{Upstream, read_message, write_message};
use crate::dns::wire::{self, Reply, Transport};
use crate::links::Namespace;
use crate::rules::ServiceKey;
use parking_lot::RwLock;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The port of DNS.
const PORT: u16 = 53;
/// Questions that wait for upstream at the same time.
const WAITING: usize = 512;
/// Clients connected by TCP at the same time.
const STREAMS: usize = 128;
/// How long a TCP client may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// What all tasks share.
struct Shared {
    table: RwLock<Table>,
    upstream: RwLock<Upstream>,
    waiting: Semaphore,
}

/// The node's resolver. Its tasks end when it is dropped.
pub struct Resolver {
    namespace: Namespace,
    shared: Arc<Shared>,
    /// Where it listens, and the tasks that do.
    listening: Option<(IpAddr, JoinSet<()>)>,
}

impl Resolver {
    /// A resolver that knows nothing and listens nowhere.
    pub fn new(namespace: Namespace) -> Self {
        let upstream = Upstream { namespace: namespace.clone(), servers: Vec::new() };
        let shared =
            Shared { table: RwLock::default(), upstream: RwLock::new(upstream), waiting: Semaphore::new(WAITING) };
        Self { namespace, shared: Arc::new(shared), listening: None }
    }

    /// Listens on the node's DNS address, which must be there already.
    pub async fn configure(&mut self, node: &NodeNetwork) -> Result<(), NetworkError> {
        self.shared.table.write().configure(&node.cluster_domain, vec![node.service_cidr, node.cluster_cidr]);
        let servers = node.upstream_dns.iter().copied().filter(|server| !wire::is_self(server, node.dns_ip));
        self.shared.upstream.write().servers = servers.collect();
        if self.listening.as_ref().is_some_and(|(ip, tasks)| *ip == node.dns_ip && !tasks.is_empty()) {
            return Ok(());
        }
        self.listening = None;
        let address = SocketAddr::new(node.dns_ip, PORT);
        let open = move || -> std::io::Result<(UdpSocket, TcpListener)> {
            let udp = socket(address, Type::DGRAM, Protocol::UDP)?;
            let tcp = socket(address, Type::STREAM, Protocol::TCP)?;
            tcp.listen(128)?;
            Ok((UdpSocket::from_std(udp.into())?, TcpListener::from_std(tcp.into())?))
        };
        let opened = self.namespace.run(move || Ok(open())).await?;
        let (udp, tcp) = opened.map_err(|e| NetworkError::Kernel {
            what: format!("listen on {address} for DNS"),
            reason: format!("{e}; is another name server on this host using it?"),
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(Arc::new(udp), Arc::clone(&self.shared)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&self.shared)));
        self.listening = Some((node.dns_ip, tasks));
        Ok(())
    }

    /// The services whose names it knows.
    pub fn set_services(&self, services: &[Arc<ServiceEntry>], changed: Option<&[ServiceKey]>) {
        self.shared.table.write().update(services, changed);
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        if let Some((_, mut tasks)) = self.listening.take() {
            tasks.shutdown().await;
        }
    }
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    } else {
        // Bursts of questions wait here rather than being lost.
        socket.set_recv_buffer_size(1 << 20)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, client) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // An earlier answer's ICMP error, or no memory for a moment.
                tracing::debug!(%error, "DNS socket");
                tokio::task::yield_now().await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        let packet = &buffer[..length];
        let reply = wire::handle(packet, &shared.table.read(), Transport::Udp);
        match reply {
            Reply::Ignore => {}
            Reply::Send(bytes) => answer(&socket, &bytes, client).await,
            waiting if tasks.len() < WAITING => {
                let (packet, socket, shared) = (packet.to_vec(), Arc::clone(&socket), Arc::clone(&shared));
                tasks.spawn(async move {
                    if let Some(bytes) = ask(waiting, &packet, &shared, Transport::Udp).await {
                        answer(&socket, &bytes, client).await;
                    }
                });
            }
            _ => {
                if let Some(bytes) = wire::failure(packet) {
                    answer(&socket, &bytes, client).await;
                }
            }
        }
    }
}

async fn answer(socket: &UdpSocket, bytes: &[u8], client: SocketAddr) {
    if let Err(error) = socket.send_to(bytes, client).await {
        tracing::debug!(%client, %error, "DNS answer");
    }
}

/// Finishes what needs upstream.
async fn ask(reply: Reply, packet: &[u8], shared: &Shared, transport: Transport) -> Option<Vec<u8>> {
    let upstream = shared.upstream.read().clone();
    match reply {
        Reply::Ignore => None,
        Reply::Send(bytes) => Some(bytes),
        Reply::Forward => {
            let Ok(_permit) = shared.waiting.try_acquire() else {
                return wire::failure(packet);
            };
            match upstream.ask(packet, transport == Transport::Tcp).await {
                Some(bytes) => Some(wire::fit(packet, bytes, transport)),
                None => wire::failure(packet),
            }
        }
        Reply::Chase(chase) => {
            let Ok(_permit) = shared.waiting.try_acquire() else {
                return wire::failure(packet);
            };
            let found = match chase.question(rand::random()) {
                Some(question) => upstream.ask(&question, true).await,
                None => None,
            };
            Some(chase.finish(found.as_deref()))
        }
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    loop {
        while clients.len() >= STREAMS {
            clients.join_next().await;
        }
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                clients.spawn(serve_stream(stream, Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::debug!(%error, "DNS listener");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_stream(mut stream: TcpStream, shared: Arc<Shared>) {
    loop {
        let Ok(Ok(packet)) = timeout(IDLE, read_message(&mut stream)).await else {
            return;
        };
        let reply = wire::handle(&packet, &shared.table.read(), Transport::Tcp);
        let Some(bytes) = ask(reply, &packet, &shared, Transport::Tcp).await else {
            return;
        };
        let Ok(Ok(())) = timeout(IDLE, write_message(&mut stream, &bytes)).await else {
            return;
        };
    }
}
