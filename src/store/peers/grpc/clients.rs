//! Connections to the other members. They connect when first used and again when broken.

use crate::config::PeerTls;
use crate::peers::grpc::peer::GrpcPeer;
use crate::peers::grpc::{MESSAGE_LIMIT, WINDOWS};
use crate::peers::{Peer, PeerError, Transport};
use crate::raft::config::Timing;
use crate::raft::types::Member;
use parking_lot::Mutex;
use raftsman_proto::v1::peers_client::PeersClient;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

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

    fn client(&self, member: &Member) -> Result<Client, String> {
        let wrong = |error: tonic::transport::Error| format!("peer {} at {}: {error}", member.name, member.address);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.tls.ca))
            .identity(Identity::from_pem(&self.tls.certificate, &self.tls.key))
            .domain_name(&member.name);
        let endpoint = Endpoint::from_shared(format!("https://{}", member.address))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(wrong)?
            .connect_timeout(self.timing.connect)
            .http2_keep_alive_interval(self.timing.keepalive)
            .keep_alive_timeout(self.timing.keepalive)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .tcp_nodelay(true);
        let _guard = self.runtime.enter();
        let channel = endpoint.connect_lazy();
        Ok(PeersClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT))
    }
}

impl Transport for PeerClients {
    fn peer(&self, id: u64, member: &Member) -> Result<Arc<dyn Peer>, PeerError> {
        let mut peers = self.peers.lock();
        if let Some((known, peer)) = peers.get(&id)
            && known == member
        {
            return Ok(peer.clone());
        }
        let client = || self.client(member).map_err(PeerError::Unreachable);
        let clients = Clients { prompt: client()?, bulk: client()?, snapshot: client()? };
        let (cluster, own, lineage) = (self.cluster.clone(), self.member.clone(), self.lineage.clone());
        let peer = Arc::new(GrpcPeer { cluster, member: own, lineage, clients });
        peers.insert(id, (member.clone(), peer.clone()));
        Ok(peer)
    }

    fn set_lineage(&self, lineage: u64) {
        self.lineage.store(lineage, Ordering::Release);
    }
}
