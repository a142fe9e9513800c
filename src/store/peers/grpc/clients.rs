//! Connections to the other members. They connect when first used and again when broken.

use crate::config::PeerTls;
use crate::peers::grpc::connector::PeerConnector;
use crate::peers::grpc::peer::GrpcPeer;
use crate::peers::grpc::{MESSAGE_LIMIT, WINDOWS};
use crate::peers::{Peer, PeerError, Transport};
use crate::raft::config::Timing;
use crate::raft::types::Member;
use parking_lot::Mutex;
use raftsman_proto::v1::peers_client::PeersClient;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};

/// A TLS handshake may take so many times what a connection may: it is work for both processors.
const HANDSHAKE: u32 = 4;

/// A client on one connection.
pub(crate) type Client = PeersClient<Channel>;

/// Three connections, so that neither a batch of entries nor a snapshot holds up a heartbeat.
pub(crate) struct Clients {
    /// Heartbeats, votes and read indexes.
    pub(crate) prompt: Client,
    /// Entries and forwarded transactions.
    pub(crate) bulk: Client,
    /// Snapshots.
    pub(crate) snapshot: Client,
}

/// All peers of a member.
pub(crate) struct PeerClients {
    cluster: MetadataValue<Ascii>,
    member: MetadataValue<Ascii>,
    tls: PeerTls,
    timing: Timing,
    runtime: tokio::runtime::Handle,
    peers: Mutex<HashMap<u64, (Member, Arc<GrpcPeer>)>>,
    lineage: Arc<AtomicU64>,
}

impl PeerClients {
    /// Of this `member`; `runtime` carries the connections.
    ///
    /// # Errors
    /// The cluster's id cannot be sent as metadata.
    pub(crate) fn new(
        cluster: &str,
        member: u64,
        tls: PeerTls,
        timing: Timing,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, String> {
        let cluster = super::cluster(cluster)?;
        let member = MetadataValue::from(member);
        Ok(Self { cluster, member, tls, timing, runtime, peers: Mutex::default(), lineage: Arc::default() })
    }

    fn endpoint(&self, uri: String) -> Result<Endpoint, tonic::transport::Error> {
        Ok(Endpoint::from_shared(uri)?
            .connect_timeout(self.timing.connect)
            .http2_keep_alive_interval(self.timing.keepalive)
            .keep_alive_timeout(self.timing.keepalive)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .tcp_nodelay(true))
    }

    /// For what Raft sends.
    fn raft_client(&self, member: &Member) -> Result<Client, String> {
        let wrong = |error: &dyn Display| format!("peer {} at {}: {error}", member.name, member.address);
        let patience = (self.timing.connect, self.timing.connect * HANDSHAKE);
        let connector = PeerConnector::new(&self.tls, member, patience).map_err(|error| wrong(&error))?;
        // The connector does the TLS.
        let endpoint = self.endpoint(format!("http://{}", member.address)).map_err(|error| wrong(&error))?;
        let endpoint = endpoint.connect_timeout(patience.0 + patience.1);
        let _guard = self.runtime.enter();
        let connect = tower::service_fn(move |_: Uri| connector.clone().connect());
        Ok(client(endpoint.connect_with_connector_lazy(connect)))
    }

    /// For what takes long.
    fn bulk_client(&self, member: &Member) -> Result<Client, String> {
        let wrong = |error: tonic::transport::Error| format!("peer {} at {}: {error}", member.name, member.address);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.tls.ca))
            .identity(Identity::from_pem(&self.tls.certificate, &self.tls.key))
            .domain_name(&member.name)
            // Not within `connect_timeout`: one that accepts and then hangs would keep this connection for ever.
            .timeout(self.timing.connect * HANDSHAKE);
        let endpoint = self.endpoint(format!("https://{}", member.address)).map_err(wrong)?;
        let endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        let _guard = self.runtime.enter();
        Ok(client(endpoint.connect_lazy()))
    }
}

fn client(channel: Channel) -> Client {
    PeersClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
}

impl Transport for PeerClients {
    fn peer(&self, id: u64, member: &Member) -> Result<Arc<dyn Peer>, PeerError> {
        let mut peers = self.peers.lock();
        if let Some((known, peer)) = peers.get(&id)
            && known == member
        {
            return Ok(peer.clone());
        }
        let raft = || self.raft_client(member).map_err(PeerError::Unreachable);
        let snapshot = self.bulk_client(member).map_err(PeerError::Unreachable)?;
        let clients = Clients { prompt: raft()?, bulk: raft()?, snapshot };
        let (cluster, own, lineage) = (self.cluster.clone(), self.member.clone(), self.lineage.clone());
        let peer = Arc::new(GrpcPeer { cluster, member: own, lineage, clients });
        peers.insert(id, (member.clone(), peer.clone()));
        Ok(peer)
    }

    fn set_lineage(&self, lineage: u64) {
        self.lineage.store(lineage, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Profile;
    use crate::rt;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_member_that_accepts_and_never_answers_is_called_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let member = Member { name: "m2".into(), address: listener.local_addr().unwrap().to_string() };
        let own = rcgen::generate_simple_self_signed(["m1".to_owned()]).unwrap();
        let certificate = own.cert.pem();
        let tls = PeerTls { ca: certificate.clone(), certificate, key: own.signing_key.serialize_pem() };
        let timing = Timing { connect: Duration::from_millis(20), ..Timing::of(Profile::Lan) };
        let handle = tokio::runtime::Handle::current();
        let peers = PeerClients::new("test", 1, tls, timing, handle).unwrap();
        let peer = peers.peer(2, &member).unwrap();
        let asking = async {
            loop {
                assert!(peer.identity(1, Duration::from_millis(50)).await.is_err());
            }
        };
        // Both stay open, and nothing is ever said.
        let calls = async {
            let first = listener.accept().await.unwrap();
            (first, listener.accept().await.unwrap())
        };
        tokio::select! {
            biased;
            called = rt::timeout(Duration::from_secs(20), calls) => drop(called.unwrap()),
            () = asking => {}
        }
    }
}
