//! Which master is spoken to.

use super::desired::Desired;
use super::outbox::Outbox;
use super::session::{Speaker, session};
use crate::error::AgentError;
use crate::promise::Standing;
use jiff::Timestamp;
use parking_lot::RwLock;
use rand::Rng;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use x509_parser::pem::parse_x509_pem;

const CONNECT: Duration = Duration::from_secs(1);
/// TCP's handshake and that of TLS.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// The first renewal is answered within this, if any master can.
const FIRST_RENEWAL: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// This host's certificate, its key, and the authority it trusts.
#[derive(Clone)]
pub struct Identity {
    /// `ca.crt`.
    pub ca: String,
    /// `host.crt`.
    pub certificate: String,
    /// `host.key`.
    pub key: String,
}

impl Identity {
    /// From the pki directory.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn load(dir: &Path) -> Result<Self, AgentError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|error| AgentError::file(&path, error))
        };
        Ok(Self { ca: read("ca.crt")?, certificate: read("host.crt")?, key: read("host.key")? })
    }

    /// When the certificate ends, if that can be read.
    pub fn end(&self) -> Option<Timestamp> {
        let (_, pem) = parse_x509_pem(self.certificate.as_bytes()).ok()?;
        Timestamp::from_second(pem.parse_x509().ok()?.validity().not_after.timestamp()).ok()
    }

    pub(crate) fn channel(&self, master: &str) -> Result<Endpoint, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.ca))
            .identity(TlsIdentity::from_pem(&self.certificate, &self.key));
        Endpoint::new(format!("https://{master}"))?.connect_timeout(CONNECT).tcp_nodelay(true).tls_config(tls)
    }
}

/// Keeps a stream to some master, for ever.
pub struct Client {
    /// Who we are.
    pub identity: Identity,
    /// The cluster's id.
    pub cluster_id: String,
    /// The node's name.
    pub node: String,
    /// Masters of the configuration, `ip:port`.
    pub masters: Vec<String>,
    /// What is to be said.
    pub outbox: Arc<Outbox>,
    /// What was heard.
    pub desired: Desired,
    /// The row of renewals under which the node stands.
    pub standing: watch::Receiver<Standing>,
    /// Masters as far as they are known, for the renewals.
    pub known: Arc<RwLock<Vec<String>>>,
}

impl Client {
    fn masters(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for master in self.desired.position().masters.iter().chain(&self.masters) {
            let plain = master.trim_start_matches("https://").trim_end_matches('/').to_owned();
            if !all.contains(&plain) {
                all.push(plain);
            }
        }
        all
    }

    /// Speaks with one master after another until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut at: usize = rand::rng().random_range(0..self.masters().len().max(1));
        *self.known.write() = self.masters();
        // A stream that begins before the first renewal is answered must begin again.
        let _ = tokio::time::timeout(FIRST_RENEWAL, self.standing.wait_for(|standing| standing.epoch != 0)).await;
        let mut failures: u32 = 0;
        while !shutdown.is_cancelled() {
            let masters = self.masters();
            self.known.write().clone_from(&masters);
            let Some(master) = masters.get(at % masters.len().max(1)).cloned() else {
                tracing::error!("no masters are configured");
                break;
            };
            let mut welcomed = false;
            tokio::select! {
                () = self.speak(&master, &mut welcomed) => {}
                () = shutdown.cancelled() => break,
            }
            self.desired.disconnected();
            self.known.write().clone_from(&self.masters());
            at = at.wrapping_add(1);
            failures = if welcomed { 0 } else { failures.saturating_add(1) };
            // The others are tried at once; after a round of refusals, a pause.
            let rounds = failures / u32::try_from(masters.len().max(1)).unwrap_or(1);
            if rounds > 0 {
                let most = FIRST_PAUSE.saturating_mul(1 << rounds.min(6)).min(LONGEST_PAUSE);
                let pause = most.mul_f64(rand::rng().random_range(0.5..1.0));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => break,
                }
            }
        }
        self.desired.flush().await;
    }

    async fn speak(&mut self, master: &str, welcomed: &mut bool) {
        let channel = match self.identity.channel(master) {
            Ok(endpoint) => reach(&endpoint).await,
            Err(error) => Err(chain(&error)),
        };
        let channel = match channel {
            Ok(channel) => channel,
            Err(error) => {
                tracing::debug!(master, error, "cannot reach master");
                return;
            }
        };
        tracing::info!(master, "connected");
        let speaker = Speaker {
            cluster_id: &self.cluster_id,
            node: &self.node,
            outbox: &self.outbox,
            standing: self.standing.clone(),
            known: &self.known,
        };
        let ended = session(&speaker, channel, &mut self.desired, welcomed).await;
        tracing::warn!(master, reason = %ended, "stream ended, going on with the next master");
    }
}

/// Connects, or gives up: the endpoint's own bound ends with TCP's handshake, and a master that is lost during that of TLS
/// never says another word.
async fn reach(endpoint: &Endpoint) -> Result<Channel, String> {
    match tokio::time::timeout(HANDSHAKE, endpoint.connect()).await {
        Ok(connected) => connected.map_err(|error| chain(&error)),
        Err(_) => Err(format!("the connection was not ready within {HANDSHAKE:?}")),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn a_master_that_is_lost_during_the_handshake_is_given_up() {
        // Connections are made to it, and nobody ever answers.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let endpoint = Endpoint::new(format!("https://{address}")).unwrap().connect_timeout(CONNECT);
        let endpoint = endpoint.tls_config(ClientTlsConfig::new().domain_name("m1")).unwrap();
        let error = reach(&endpoint).await.unwrap_err();
        assert!(error.contains("not ready within"), "{error}");
    }
}
