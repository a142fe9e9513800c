//! The peer port, served by threads of its own: votes, heartbeats and entries never wait behind the API's work.
//!
//! What masters send for Raft is served where Raft runs: between two threads each message would wake one and put the other to
//! sleep. Everything else, a connection's first words included, is another thread's.

use crate::config::PeerTls;
use crate::member::raise_priority;
use crate::peers::grpc::PeersService;
use crate::peers::grpc::accept::{Accepted, Sorting};
use raftsman_proto::v1::peers_server::PeersServer;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

/// Nodes' streams share them, so there are two: one may be busy with a handshake.
const THREADS: usize = 2;

/// HTTP/2 windows of a stream and of a connection, in bytes: a batch of entries is sent without waiting for a window.
pub(super) const WINDOWS: (u32, u32) = (4 << 20, 8 << 20);

/// A running server of the peer port.
pub struct PeerPort {
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<String>>,
}

impl PeerPort {
    /// Serves these services, and that of Raft on `raft`, with mutual TLS until [`PeerPort::stop`].
    ///
    /// What the services do is done on its threads too: work of any length belongs on another runtime.
    pub(crate) fn serve(
        listener: TcpListener,
        tls: &PeerTls,
        services: Routes,
        peers: PeersServer<PeersService>,
        raft: Handle,
    ) -> io::Result<Self> {
        let (sorting, of_peers, of_others) = Sorting::new(tls, raft.clone())?;
        let services = services.add_service(peers.clone());
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
                let mut raft = raft.spawn(serve(Routes::new(peers), of_peers));
                let served = tokio::select! {
                    served = serve(services, of_others) => served,
                    // With the member's own end.
                    served = &mut raft => served.unwrap_or_else(|error| Err(error.to_string())),
                    () = sorting.run(listener) => Ok(()),
                    // A word or the sender's end.
                    _ = stopped => Ok(()),
                };
                raft.abort();
                served
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

    /// Ends it, with all connections but those that serve Raft: they end with the store.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.ended().await;
    }
}

async fn serve(services: Routes, connections: Accepted) -> Result<(), String> {
    let server = Server::builder()
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .http2_keepalive_interval(Some(Duration::from_secs(1)))
        .http2_keepalive_timeout(Some(Duration::from_secs(2)))
        .add_routes(services);
    server.serve_with_incoming(ReceiverStream::new(connections)).await.map_err(|error| error.to_string())
}
