//! A host's own key and its request for a certificate; how an authority is recognized.

use crate::PkiError;
use rcgen::{CertificateParams, CertificateSigningRequestParams, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A key that never leaves its host, and the request (PKCS#10) that goes to a master.
pub struct HostKey {
    /// The key (PKCS#8), PEM.
    pub key: String,
    /// The request, PEM.
    pub request: String,
}

impl HostKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`PkiError::Certificate`].
    pub fn generate(name: &str) -> Result<Self, PkiError> {
        Self::of(name, &KeyPair::generate().map_err(|error| refused(name, &error))?)
    }

    /// With a key that is there already, PEM.
    ///
    /// # Errors
    /// [`PkiError::Certificate`]: the key cannot be read.
    pub fn with_key(name: &str, key: &str) -> Result<Self, PkiError> {
        Self::of(name, &KeyPair::from_pem(key).map_err(|error| refused(name, &error))?)
    }

    fn of(name: &str, key: &KeyPair) -> Result<Self, PkiError> {
        // What the certificate will say is the master's to decide: the request carries the key and proves that it is held.
        let request = CertificateParams::default().serialize_request(key).map_err(|error| refused(name, &error))?;
        let request = request.pem().map_err(|error| refused(name, &error))?;
        Ok(Self { key: key.serialize_pem(), request })
    }
}

fn refused(name: &str, error: &rcgen::Error) -> PkiError {
    PkiError::Certificate { subject: format!("host {name}"), reason: error.to_string() }
}

/// A request whose sender holds the key.
pub(crate) fn verified(subject: &str, request: &str) -> Result<CertificateSigningRequestParams, PkiError> {
    CertificateSigningRequestParams::from_pem(request)
        .map_err(|error| PkiError::Certificate { subject: subject.to_owned(), reason: format!("its request: {error}") })
}

/// SHA-256 of a request's public key, in hexadecimal: the same host asks again with the same.
///
/// # Errors
/// The request cannot be read, or its sender does not hold the key.
pub fn key_of_request(request: &str) -> Result<String, PkiError> {
    Ok(hexadecimal(&Sha256::digest(verified("a host", request)?.public_key.der_bytes())))
}

/// SHA-256 of an authority's public key (its SubjectPublicKeyInfo), in hexadecimal: by it a host knows the authority before
/// it trusts anything (as kubeadm's `--discovery-token-ca-cert-hash`).
///
/// # Errors
/// The certificate cannot be read.
pub fn pin(certificate: &str) -> Result<String, PkiError> {
    read(certificate, |certificate| hexadecimal(&Sha256::digest(certificate.public_key().raw)))
}

/// [`pin`] of a certificate in DER.
///
/// # Errors
/// The certificate cannot be read.
pub fn pin_der(certificate: &[u8]) -> Result<String, PkiError> {
    let failed = |error: &dyn std::fmt::Display| PkiError::Certificate {
        subject: "a certificate".to_owned(),
        reason: error.to_string(),
    };
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| failed(&error))?;
    Ok(hexadecimal(&Sha256::digest(certificate.public_key().raw)))
}

/// Whole days until a certificate (PEM) ends; negative: it has.
///
/// # Errors
/// The certificate cannot be read.
pub fn days_left(certificate: &str, now_seconds: i64) -> Result<i64, PkiError> {
    read(certificate, |certificate| (certificate.validity().not_after.timestamp() - now_seconds).div_euclid(86_400))
}

fn read<T>(pem: &str, with: impl FnOnce(&X509Certificate<'_>) -> T) -> Result<T, PkiError> {
    let failed = |reason: String| PkiError::Certificate { subject: "a certificate".to_owned(), reason };
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
    Ok(with(&pem.parse_x509().map_err(|error| failed(error.to_string()))?))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
