//! The peer port, served by threads of its own: votes, heartbeats and entries never wait behind the API's work.

use crate::config::PeerTls;
use crate::member::raise_priority;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// Nodes' streams share them with the peers, so there are two: one may be busy with a handshake.
const THREADS: usize = 2;

/// HTTP/2 windows of a stream and of a connection, in bytes: a batch of entries is sent without waiting for a window.
pub(super) const WINDOWS: (u32, u32) = (4 << 20, 8 << 20);

/// A running server of the peer port.
pub struct PeerPort {
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<String>>,
}

impl PeerPort {
    /// Serves these services with mutual TLS until [`PeerPort::stop`].
    ///
    /// What the services do is done on those threads too: work of any length belongs on another runtime.
    ///
    /// # Errors
    /// The certificates cannot be used, or the system gives no threads.
    pub fn serve(listener: TcpListener, tls: &PeerTls, services: Routes) -> io::Result<Self> {
        let settings = ServerTlsConfig::new()
            .identity(Identity::from_pem(&tls.certificate, &tls.key))
            .client_ca_root(Certificate::from_pem(&tls.ca));
        let server = Server::builder()
            .tls_config(settings)
            .map_err(io::Error::other)?
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .http2_keepalive_interval(Some(Duration::from_secs(1)))
            .http2_keepalive_timeout(Some(Duration::from_secs(2)))
            .add_routes(services);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("peer-port")
            .on_thread_start(raise_priority)
            .enable_all()
            .build()?;
        // It is known to this runtime's poller and must become known to the other's.
        let listener = listener.into_std()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("peer-port".into()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = TcpListener::from_std(listener).map_err(|e| e.to_string())?;
                // The server's own `tcp_nodelay` does not reach connections that it did not accept itself.
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                tokio::select! {
                    served = server.serve_with_incoming(incoming) => served.map_err(|e| e.to_string()),
                    // A word or the sender's end.
                    _ = stopped => Ok(()),
                }
            });
            // Not waited for: streams of nodes may be open.
            runtime.shutdown_background();
            let _ = end.send(served.err().unwrap_or_else(|| "it was stopped".into()));
        });
        thread.map(|_| Self { stop: Some(stop), ended: Some(ended) })
    }

    /// Waits for the server's end and gives its reason.
    pub async fn ended(&mut self) -> String {
        let Some(ended) = &mut self.ended else { return "it has ended".into() };
        let reason = ended.await.unwrap_or_else(|_| "its thread panicked".into());
        self.ended = None;
        reason
    }

    /// Ends it, open connections included.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.ended().await;
    }
}
