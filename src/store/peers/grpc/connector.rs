//! How this member connects to the others for what Raft itself sends: with TLS that names what the connection is for.

use crate::config::PeerTls;
use crate::peers::grpc::PEER;
use crate::peers::grpc::accept::{certificates, key};
use crate::raft::types::Member;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Connects to one member.
#[derive(Clone)]
pub(super) struct PeerConnector {
    tls: TlsConnector,
    name: ServerName<'static>,
    address: Arc<str>,
    /// A connection, and a handshake, may take so long each.
    patience: (Duration, Duration),
}

impl PeerConnector {
    pub(super) fn new(tls: &PeerTls, member: &Member, patience: (Duration, Duration)) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&tls.ca)? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = builder.with_client_auth_cert(certificates(&tls.certificate)?, key(&tls.key)?);
        let mut config = config.map_err(io::Error::other)?;
        // The second is what is agreed upon; the first only tells.
        config.alpn_protocols = vec![PEER.to_vec(), b"h2".to_vec()];
        let name = ServerName::try_from(member.name.clone()).map_err(io::Error::other)?;
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), name, address: member.address.as_str().into(), patience })
    }

    pub(super) async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let (connecting, shaking) = self.patience;
        let stream = within(connecting, TcpStream::connect(&*self.address)).await?;
        stream.set_nodelay(true)?;
        // One that accepts and then hangs would keep this connection for ever.
        Ok(TokioIo::new(within(shaking, self.tls.connect(self.name, stream)).await?))
    }
}

async fn within<T>(patience: Duration, connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long to connect");
    tokio::time::timeout(patience, connecting).await.map_err(|_| late())?
}
