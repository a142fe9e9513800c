//! Connections as they come in: told apart by what their first message asks for, before anything else is done for them.

use crate::config::PeerTls;
use crate::peers::grpc::PEER;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{Acceptor, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Who connects and says nothing is let go after this.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// After an accept that failed, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(50);

/// Connections with their handshake behind them, which wait to be served.
const WAITING: usize = 64;

/// Where connections go.
pub(super) type Accepted = mpsc::Receiver<io::Result<TlsStream<TcpStream>>>;

/// Sorts connections; see the module.
#[derive(Clone)]
pub(super) struct Sorting {
    config: Arc<ServerConfig>,
    /// Carries those of peers, reading and writing included.
    runtime: Handle,
    peers: mpsc::Sender<io::Result<TlsStream<TcpStream>>>,
    others: mpsc::Sender<io::Result<TlsStream<TcpStream>>>,
}

impl Sorting {
    /// With these certificates; gives the ends at which connections of peers and all others come out.
    pub(super) fn new(tls: &PeerTls, runtime: Handle) -> io::Result<(Self, Accepted, Accepted)> {
        let (peers, of_peers) = mpsc::channel(WAITING);
        let (others, of_others) = mpsc::channel(WAITING);
        Ok((Self { config: server_config(tls)?, runtime, peers, others }, of_peers, of_others))
    }

    /// Accepts until it is dropped.
    pub(super) async fn run(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    let sorting = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = sorting.sort(connection).await {
                            tracing::debug!(%error, "a connection to the peer port did not begin");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the peer port cannot accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn sort(self, connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let started = timed(LazyConfigAcceptor::new(Acceptor::default(), connection)).await?;
        let of_peer = started.client_hello().alpn().is_some_and(|mut asked| asked.any(|protocol| protocol == PEER));
        // Also for peers: whoever has no certificate costs the Raft thread nothing.
        let stream = timed(started.into_stream(self.config)).await?;
        let (stream, to) =
            if of_peer { (moved(stream, &self.runtime).await?, self.peers) } else { (stream, self.others) };
        to.send(Ok(stream)).await.map_err(|_| io::Error::other("the port is served no more"))
    }
}

async fn timed<T>(shaking: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no handshake");
    tokio::time::timeout(HANDSHAKE, shaking).await.map_err(|_| late())?
}

/// The stream, known to the poller of this runtime instead of the one that it came by.
async fn moved(mut stream: TlsStream<TcpStream>, to: &Handle) -> io::Result<TlsStream<TcpStream>> {
    let socket = std::net::TcpStream::from(stream.get_ref().0.as_fd().try_clone_to_owned()?);
    let moving = to.spawn(async move {
        *stream.get_mut().0 = TcpStream::from_std(socket)?;
        Ok(stream)
    });
    moving.await.map_err(io::Error::other)?
}

fn server_config(tls: &PeerTls) -> io::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(io::Error::other)?;
    let builder = ServerConfig::builder().with_client_cert_verifier(verifier);
    let mut config =
        builder.with_single_cert(certificates(&tls.certificate)?, key(&tls.key)?).map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates of a PEM text.
pub(super) fn certificates(pem: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(io::Error::other)
}

/// The key of a PEM text.
pub(super) fn key(pem: &str) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::peers::grpc::connector::PeerConnector;
    use crate::raft::types::Member;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::ClientConfig;
    use tokio_rustls::rustls::pki_types::ServerName;

    #[tokio::test]
    async fn peers_are_told_from_others_and_who_is_silent_holds_up_nobody() {
        let own = rcgen::generate_simple_self_signed(["m1".to_owned()]).unwrap();
        let certificate = own.cert.pem();
        let tls = PeerTls { ca: certificate.clone(), certificate, key: own.signing_key.serialize_pem() };
        let (sorting, mut of_peers, mut of_others) = Sorting::new(&tls, Handle::current()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(sorting.run(listener));
        let _silent = TcpStream::connect(address).await.unwrap();

        let member = Member { name: "m1".into(), address: address.to_string() };
        let connector = PeerConnector::new(&tls, &member, (HANDSHAKE, HANDSHAKE)).unwrap();
        let (peer, served) = tokio::join!(connector.connect(), of_peers.recv());
        assert_eq!(served.unwrap().unwrap().get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        drop(peer.unwrap());

        let mut roots = RootCertStore::empty();
        roots.add(certificates(&tls.ca).unwrap().remove(0)).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = config.with_client_auth_cert(certificates(&tls.certificate).unwrap(), key(&tls.key).unwrap());
        let connection = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config.unwrap()));
        let connecting = connector.connect(ServerName::try_from("m1").unwrap(), connection);
        let (other, served) = tokio::join!(connecting, of_others.recv());
        assert!(served.unwrap().is_ok() && other.is_ok());
        assert!(of_peers.try_recv().is_err() && of_others.try_recv().is_err());
        running.abort();
    }
}
