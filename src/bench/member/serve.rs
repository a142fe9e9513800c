//! The member process.

use super::kv::KvService;
use super::settings::Settings;
use crate::proto::bench::kv_server::KvServer;
use anyhow::Context;
use raftsman_store::{MemberAddress, PeerTls, RaftStore, StoreConfig};
use std::path::Path;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Serves until TERM, or until the store ends.
pub(crate) async fn serve(path: &Path, urgent: fn()) -> anyhow::Result<()> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let settings: Settings =
        serde_json::from_slice(&text).with_context(|| format!("{} is no member's settings", path.display()))?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("RAFTSMAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,openraft=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();

    let own = settings.peers.iter().find(|peer| peer.id == settings.member).context("a member that is not listed")?;
    let peers = TcpListener::bind(own.address).await.context("the peer port")?;
    let clients = TcpListener::bind(settings.clients).await.context("the clients' port")?;
    let tls = PeerTls { ca: settings.ca, certificate: settings.certificate, key: settings.key };
    let members =
        settings.peers.into_iter().map(|peer| MemberAddress { id: peer.id, name: peer.name, address: peer.address });
    let mut config = StoreConfig::new("bench", settings.member, members.collect(), settings.data, tls.clone());
    config.urgent = urgent;
    let store = RaftStore::open(config).await?;
    let mut port = store.serve_peers(peers, &tls, Routes::default())?;

    let kv = KvServer::new(KvService::new(store.clone()));
    let server = Server::builder().add_service(kv);
    let incoming = TcpIncoming::from(clients).with_nodelay(Some(true));
    let mut term = signal(SignalKind::terminate())?;
    let mut ended = store.ended();
    let result = tokio::select! {
        served = server.serve_with_incoming(incoming) => served.context("the clients' port"),
        reason = port.ended() => Err(anyhow::anyhow!("the peer port is served no more: {reason}")),
        Ok(error) = ended.wait_for(Option::is_some) => {
            Err(anyhow::anyhow!("the store ended: {}", error.as_ref().map(ToString::to_string).unwrap_or_default()))
        }
        _ = term.recv() => Ok(()),
    };
    store.shutdown().await;
    port.stop().await;
    result
}
