use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::Path;

/// An authority, and certificates of hosts on loopback.
pub struct TestPki {
    ca: String,
    issuer: Issuer<'static, KeyPair>,
}

impl TestPki {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test");
        let ca = params.self_signed(&key).unwrap().pem();
        Self { ca, issuer: Issuer::new(params, key) }
    }

    /// (authority, certificate, key) of a host with this organisation.
    pub fn host(&self, organization: &str) -> (String, String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.distinguished_name.push(DnType::CommonName, "host");
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        (self.ca.clone(), certificate, key.serialize_pem())
    }

    /// A node's pki directory.
    pub fn write(&self, dir: &Path) {
        let (ca, certificate, key) = self.host("system:nodes");
        for (name, text) in [("ca.crt", ca), ("host.crt", certificate), ("host.key", key)] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
}
