//! This host's keys, and who is at the other end of a connection.

use crate::MasterError;
use raftsman_api::config::Pki;
use std::path::PathBuf;
use std::time::Duration;
use tonic::transport::{Certificate, CertificateDer, ClientTlsConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Organisation of masters' certificates.
pub const MASTERS: &str = "raftsman:masters";
/// One that accepts a connection and then hangs would keep it for ever.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// Organisation of nodes' certificates.
pub const NODES: &str = "system:nodes";

/// What the PKI directory holds, as PEM text.
#[derive(Clone)]
pub struct Pems {
    /// The cluster's authority.
    pub ca: String,
    /// This host's certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

impl Pems {
    /// Reads `ca.crt`, `host.crt` and `host.key`.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn read(pki: &Pki) -> Result<Self, MasterError> {
        let read = |name: &str| {
            let path: PathBuf = pki.dir.join(name);
            std::fs::read_to_string(&path).map_err(|e| MasterError::Pki { path, reason: e.to_string() })
        };
        Ok(Self { ca: read("ca.crt")?, cert: read("host.crt")?, key: read("host.key")? })
    }

    fn identity(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.cert, &self.key)
    }

    /// For gRPC clients of the host of this name.
    pub fn client(&self, host: &str) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(self.identity())
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name(host)
            .timeout(HANDSHAKE)
    }
}

/// The subject of a client's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Common name.
    pub name: String,
    /// Organisations.
    pub organisations: Vec<String>,
}

impl Identity {
    /// The subject of a request's client certificate.
    ///
    /// # Errors
    /// `unauthenticated` without a certificate that can be read.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, tonic::Status> {
        let certs = request.peer_certs().ok_or_else(|| tonic::Status::unauthenticated("no client certificate"))?;
        let leaf = certs.first().ok_or_else(|| tonic::Status::unauthenticated("no client certificate"))?;
        Self::parse(leaf).ok_or_else(|| tonic::Status::unauthenticated("the client certificate cannot be read"))
    }

    fn parse(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let subject = cert.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
        let organisations = subject.iter_organization().filter_map(|o| o.as_str().ok().map(str::to_owned)).collect();
        Some(Self { name, organisations })
    }

    /// The host's name: what follows the role in a common name.
    pub fn host(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or_default()
    }

    /// It belongs to this organisation.
    ///
    /// # Errors
    /// `permission_denied` with both names.
    pub fn require(&self, organisation: &str) -> Result<(), tonic::Status> {
        if self.organisations.iter().any(|o| o == organisation) {
            return Ok(());
        }
        Err(tonic::Status::permission_denied(format!("{} is not of {organisation}", self.name)))
    }
}
