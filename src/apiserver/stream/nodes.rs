//! Connections to the nodes' own service, kept for the next request.

use parking_lot::Mutex;
use raftsman_proto::v1::agent_client::AgentClient;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// What a master shows to nodes, and whom it trusts, all PEM.
#[derive(Clone)]
pub struct NodeTls {
    /// The cluster's authority.
    pub ca: Vec<u8>,
    /// This master's certificate.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

/// Channels by address, made when first needed and mended by themselves.
#[derive(Default)]
pub struct NodeClients {
    tls: Option<NodeTls>,
    channels: Mutex<HashMap<SocketAddr, Channel>>,
}

/// A node that accepts a connection and then hangs would keep it for ever.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Most channels kept; beyond, all are let go and made anew as needed (nodes come and go).
const MOST: usize = 10_000;

impl NodeClients {
    /// With mutual TLS.
    pub fn new(tls: NodeTls) -> Self {
        Self { tls: Some(tls), channels: Mutex::default() }
    }

    /// Without encryption: for tests on loopback.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    /// A node's service.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn agent(&self, address: SocketAddr) -> Result<AgentClient<Channel>, tonic::transport::Error> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(&address) {
            return Ok(AgentClient::new(channel.clone()));
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .connect_timeout(Duration::from_secs(3))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .tcp_nodelay(true);
        if let Some(tls) = &self.tls {
            let config = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(&tls.ca))
                .identity(Identity::from_pem(&tls.certificate, &tls.key))
                .timeout(HANDSHAKE);
            endpoint = endpoint.tls_config(config)?;
        }
        let channel = endpoint.connect_lazy();
        if channels.len() >= MOST {
            channels.clear();
        }
        channels.insert(address, channel.clone());
        Ok(AgentClient::new(channel))
    }
}
