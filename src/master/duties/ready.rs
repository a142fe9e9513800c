//! A small HTTPS client that asks masters for `/readyz`.

use crate::{MasterError, Pems};
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Keeps its connections; cloning shares them.
#[derive(Clone)]
pub struct ReadyClient {
    http: Client<HttpsConnector<HttpConnector>, Empty<bytes::Bytes>>,
}

impl ReadyClient {
    /// A client that trusts the cluster's authority.
    ///
    /// # Errors
    /// The authority's certificate cannot be used.
    pub fn new(pems: &Pems) -> Result<Self, MasterError> {
        let broken = |e: String| MasterError::Server(format!("ca.crt: {e}"));
        let mut roots = rustls::RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(pems.ca.as_bytes()) {
            roots.add(cert.map_err(|e| broken(e.to_string()))?).map_err(|e| broken(e.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| broken(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        Ok(Self { http: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Asks for `/readyz`.
    pub async fn ready(&self, master: SocketAddr, within: Duration) -> Look {
        let Ok(uri) = format!("https://{master}/readyz").parse() else { return Look::No };
        match tokio::time::timeout(within, self.http.get(uri)).await {
            Err(_) => Look::Silent,
            Ok(Ok(answer)) if answer.status().is_success() => Look::Ready,
            Ok(_) => Look::No,
        }
    }
}

/// What a master shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It serves.
    Ready,
    /// It says that it does not, or nothing listens there.
    No,
    /// No word in time: it is cut off, or busy.
    Silent,
}
