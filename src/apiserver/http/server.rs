//! The listener: TLS, HTTP/1.1 and HTTP/2, and an end without broken answers.

use super::body::Body;
use super::front::{Front, Who};
use super::metrics::Metrics;
use super::operations::{NoOperations, Operations};
use super::tls::{TlsPems, configure};
use crate::auth::ClientCertificates;
use crate::backup::BackupSource;
use crate::stream::NodeClients;
use crate::write::Api;
use futures::FutureExt as _;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A client that does not finish its handshake is let go after this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A client that sends nothing for so long is asked by the kernel whether it is still there, and again, before its
/// connection is given up.
const SILENCE: Duration = Duration::from_secs(60);
const SILENCE_AGAIN: Duration = Duration::from_secs(15);
/// A client that has not sent a whole request after its handshake is let go after this.
const FIRST_REQUEST: Duration = Duration::from_secs(30);
/// When the end is asked for, a client that has just connected gets so long for its first request: told to go before, it would
/// meet an end of file, and could not know that nothing was done.
const BEGINNING: Duration = Duration::from_secs(1);
/// After the end was asked for, answers under way get so long.
const GRACE: Duration = Duration::from_secs(5);

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A certificate or key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// The listener failed.
    #[error("listener: {0}")]
    Listener(#[from] std::io::Error),
}

/// What a server is made of.
pub struct Server {
    /// Serves the front.
    front: Arc<Front>,
    acceptor: TlsAcceptor,
    clients: Arc<ClientCertificates>,
    /// One place for each connection.
    places: Arc<Semaphore>,
}

impl Server {
    /// A server over a write path. `address` is the `host:port` that clients reach it by; with a `backup`
    /// source it gives out backups.
    ///
    /// # Errors
    /// [`ServerError::Tls`].
    pub fn new(
        api: Arc<Api>,
        tls: &TlsPems,
        nodes: Arc<NodeClients>,
        operations: Arc<dyn Operations>,
        address: impl Into<String>,
        backup: Option<BackupSource>,
    ) -> Result<Self, ServerError> {
        let (config, clients) = configure(tls).map_err(ServerError::Tls)?;
        let address = address.into();
        let places = Arc::new(Semaphore::new(api.config().connections));
        let front = Front {
            api,
            nodes,
            operations,
            metrics: Metrics::default(),
            shutdown: CancellationToken::new(),
            itself: HeaderValue::from_str(&address).unwrap_or(HeaderValue::from_static("master")),
            address,
            backup,
        };
        Ok(Self { front: Arc::new(front), acceptor: TlsAcceptor::from(config), clients, places })
    }

    /// Serves until `shutdown` is cancelled: then `/readyz` fails, watches end, clients are told to go elsewhere, and
    /// answers under way are finished.
    ///
    /// # Errors
    /// [`ServerError::Listener`].
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServerError> {
        let graceful = GracefulShutdown::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.connected(stream, peer, graceful.watcher()),
                    Err(error) => {
                        // Out of descriptors, or the peer is gone already: the next one may do.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                () = shutdown.cancelled() => break,
            }
        }
        // The kernel has accepted these already: with the listener they would be reset.
        while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
            self.connected(stream, peer, graceful.watcher());
        }
        drop(listener);
        self.front.shutdown.cancel();
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::info!("some clients did not finish their requests in time");
        }
        Ok(())
    }

    fn connected(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Before the handshake, which is what costs.
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            tracing::debug!(%peer, "refused: there are as many connections as may be");
            return;
        };
        let connection = Connection {
            front: self.front.clone(),
            acceptor: self.acceptor.clone(),
            clients: self.clients.clone(),
            _place: place,
        };
        tokio::spawn(connection.serve(stream, peer, watcher));
    }
}

/// Serves HTTPS on a listener until `shutdown` is cancelled. See [`Server`].
///
/// # Errors
/// [`ServerError`].
pub async fn serve(
    listener: TcpListener,
    tls: &TlsPems,
    api: Arc<Api>,
    nodes: Arc<NodeClients>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let address = listener.local_addr()?.to_string();
    Server::new(api, tls, nodes, Arc::new(NoOperations), address, None)?.run(listener, shutdown).await
}

struct Connection {
    front: Arc<Front>,
    acceptor: TlsAcceptor,
    clients: Arc<ClientCertificates>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// The `watcher` is waited for until this has ended.
    async fn serve(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let alive = TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE_AGAIN);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
        let stream = match tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                return;
            }
            Err(_) => return,
        };
        let who: Who = match stream.get_ref().1.peer_certificates() {
            Some(chain) => self.clients.verify(chain),
            None => Err("no client certificate".to_owned()),
        };
        let front = self.front.clone();
        let asked = CancellationToken::new();
        let first = asked.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            first.cancel();
            let (front, who) = (front.clone(), who.clone());
            async move { Ok::<Response<Body>, Infallible>(front.handle(request, who).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(1000)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut ending = pin!(async {
            self.front.shutdown.cancelled().await;
            let _ = tokio::time::timeout(BEGINNING, asked.cancelled()).await;
        });
        let mut told = false;
        // The protocols' own timers begin with the first bytes, which may never come.
        let mut silent = pin!(async {
            if tokio::time::timeout(FIRST_REQUEST, asked.cancelled()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        });
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                    break;
                }
                () = ending.as_mut(), if !told => {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = silent.as_mut() => {
                    tracing::debug!(%peer, "let go: it asked nothing");
                    break;
                }
            }
        }
        drop(watcher);
    }
}
