//! The server's side of TLS.

use crate::auth::ClientCertificates;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// Certificates and key, all PEM.
#[derive(Clone)]
pub struct TlsPems {
    /// Authorities whose client certificates are believed.
    pub ca: Vec<u8>,
    /// The server's certificate chain.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

/// A TLS configuration, and what judges client certificates.
pub(super) type Tls = (Arc<rustls::ServerConfig>, Arc<ClientCertificates>);

/// Makes the configuration: TLS 1.2 and 1.3, HTTP/2 and 1.1, client certificates asked for.
///
/// # Errors
/// Which of the PEMs cannot be used, and why.
pub(super) fn configure(pems: &TlsPems) -> Result<Tls, String> {
    let certificates = |what: &str, pem: &[u8]| {
        let all: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{what}: {error}"))?;
        if all.is_empty() { Err(format!("{what}: holds no certificate")) } else { Ok(all) }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in certificates("the authority", &pems.ca)? {
        roots.add(authority).map_err(|error| format!("the authority: {error}"))?;
    }
    let clients =
        ClientCertificates::new(roots, provider.clone()).map_err(|error| format!("the authority: {error}"))?;
    let clients = Arc::new(clients);
    let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|error| format!("the server's key: {error}"))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(clients.clone())
        .with_single_cert(certificates("the server's certificate", &pems.certificate)?, key)
        .map_err(|error| format!("the server's certificate: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), clients))
}
