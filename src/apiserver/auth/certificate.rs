//! Client certificates: asked for, never demanded in the handshake. A stranger's is refused with a readable 401, not with
//! a broken connection.

use super::UserInfo;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Takes any certificate whose key the client proves to hold; [`ClientCertificates::verify`] judges it afterwards.
#[derive(Debug)]
pub struct ClientCertificates {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertificates {
    /// Trusts certificates of these authorities.
    ///
    /// # Errors
    /// There is no authority among them.
    pub fn new(
        roots: RootCertStore,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { inner })
    }

    /// The user that a certificate chain proves.
    ///
    /// # Errors
    /// Why it proves none, for the log and the client.
    pub fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<UserInfo, String> {
        let (end, between) = chain.split_first().ok_or("no certificate")?;
        self.inner
            .verify_client_cert(end, between, UnixTime::now())
            .map_err(|error| format!("the client certificate is not accepted: {error}"))?;
        user_of(end)
    }
}

/// The user that a certificate names: common name and organisations.
///
/// # Errors
/// It cannot be read or has no common name.
pub fn user_of(certificate: &[u8]) -> Result<UserInfo, String> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("the client certificate is not X.509: {error}"))?;
    let subject = certificate.subject();
    let name = subject
        .iter_common_name()
        .find_map(|name| name.as_str().ok())
        .ok_or("the client certificate has no common name")?;
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned));
    Ok(UserInfo::new(name, groups))
}

impl ClientCertVerifier for ClientCertificates {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        // Judged after the handshake, once there is a request to answer.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
