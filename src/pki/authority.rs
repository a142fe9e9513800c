//! The cluster's certificate authority.

use crate::profile::{CLIENT_DAYS, HOST_DAYS, HostProfile};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use std::path::{Path, PathBuf};

const CA_DAYS: i64 = 10 * 365;
/// X.520 organizationName; a second one needs its plain number, because the library keeps one value per named type.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// What goes wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("certificate for {subject}: {reason}")]
    Certificate {
        /// For whom.
        subject: String,
        /// Why not.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate.
    pub certificate: String,
    /// The key (PKCS#8).
    pub key: String,
}

/// The authority: it signs for hosts and people, and holds the key of service account tokens.
pub struct Authority {
    certificate: String,
    key: String,
    tokens: String,
}

impl Authority {
    /// Makes a new one: good for ten years.
    pub fn generate(cluster: &str) -> Result<Self, PkiError> {
        let subject = format!("the authority of cluster {cluster}");
        let failed = |error: rcgen::Error| refused(&subject, &error);
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("raftsman-ca:{cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        valid_for(&mut params, CA_DAYS);
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let tokens = KeyPair::generate().map_err(failed)?.serialize_pem();
        Ok(Self { certificate, key: key.serialize_pem(), tokens })
    }

    /// Reads `ca.crt`, `ca.key` and `sa.key` of a directory.
    pub fn load(dir: &Path) -> Result<Self, PkiError> {
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|error| PkiError::File { path, reason: error.to_string() })
        };
        Ok(Self { certificate: read("ca.crt")?, key: read("ca.key")?, tokens: read("sa.key")? })
    }

    /// The one in a directory; made and written there if there is none.
    pub fn open(dir: &Path, cluster: &str) -> Result<Self, PkiError> {
        if dir.join("ca.crt").exists() {
            return Self::load(dir);
        }
        let made = Self::generate(cluster)?;
        crate::write_private(&dir.join("ca.key"), &made.key)?;
        crate::write_private(&dir.join("sa.key"), &made.tokens)?;
        // Last: it says that the others are there.
        crate::write_public(&dir.join("ca.crt"), &made.certificate)?;
        Ok(made)
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A host's certificate, for both directions of TLS.
    pub fn issue_host(&self, host: &HostProfile) -> Result<Credentials, PkiError> {
        let subject = format!("host {}", host.name);
        self.sign(&subject, Self::host_params(&subject, host)?, &host.common_name(), &host.organisations())
    }

    fn host_params(subject: &str, host: &HostProfile) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::new(host.names()).map_err(|error| refused(subject, &error))?;
        valid_for(&mut params, HOST_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params)
    }

    /// A person's or program's certificate.
    pub fn issue_client(&self, user: &str, groups: &[&str]) -> Result<Credentials, PkiError> {
        let mut params = CertificateParams::default();
        valid_for(&mut params, CLIENT_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&format!("user {user}"), params, user, groups)
    }

    /// A host's certificate for the key of its own request (PEM), PEM. What the request asks for beside that is ignored.
    ///
    /// # Errors
    /// [`PkiError::Certificate`]: the request cannot be read, or its sender does not hold the key.
    pub fn sign_host(&self, request: &str, host: &HostProfile) -> Result<String, PkiError> {
        let subject = format!("host {}", host.name);
        let asked = crate::request::verified(&subject, request)?;
        self.issue(
            &subject,
            Self::host_params(&subject, host)?,
            &host.common_name(),
            &host.organisations(),
            &asked.public_key,
        )
    }

    /// Writes what a host needs into its directory (see `raftsman_api::config::Pki`).
    pub fn write_host(&self, dir: &Path, host: &HostProfile) -> Result<(), PkiError> {
        let issued = self.issue_host(host)?;
        crate::write_public(&dir.join("ca.crt"), &self.certificate)?;
        crate::write_private(&dir.join("host.key"), &issued.key)?;
        crate::write_public(&dir.join("host.crt"), &issued.certificate)?;
        if host.roles.contains(&raftsman_api::config::Role::Master) {
            crate::write_private(&dir.join("ca.key"), &self.key)?;
            crate::write_private(&dir.join("sa.key"), &self.tokens)?;
        }
        Ok(())
    }

    fn sign(
        &self,
        subject: &str,
        params: CertificateParams,
        common_name: &str,
        organisations: &[&str],
    ) -> Result<Credentials, PkiError> {
        let key = KeyPair::generate().map_err(|error| refused(subject, &error))?;
        let certificate = self.issue(subject, params, common_name, organisations, &key)?;
        Ok(Credentials { certificate, key: key.serialize_pem() })
    }

    fn issue(
        &self,
        subject: &str,
        mut params: CertificateParams,
        common_name: &str,
        organisations: &[&str],
        key: &impl PublicKeyData,
    ) -> Result<String, PkiError> {
        let failed = |error: rcgen::Error| refused(subject, &error);
        let mut name = rcgen::DistinguishedName::new();
        for (at, organisation) in organisations.iter().enumerate() {
            let kind = if at == 0 { DnType::OrganizationName } else { DnType::CustomDnType(ORGANIZATION.to_vec()) };
            name.push(kind, (*organisation).to_owned());
        }
        name.push(DnType::CommonName, common_name.to_owned());
        params.distinguished_name = name;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let own = KeyPair::from_pem(&self.key).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, own).map_err(failed)?;
        Ok(params.signed_by(key, &issuer).map_err(failed)?.pem())
    }
}

fn refused(subject: &str, error: &rcgen::Error) -> PkiError {
    PkiError::Certificate { subject: subject.to_owned(), reason: error.to_string() }
}

/// From an hour ago (clocks differ) for so many days.
fn valid_for(params: &mut CertificateParams, days: i64) {
    let day = |seconds: i64| {
        let date = jiff::Timestamp::now()
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-24 * 3600);
    params.not_after = day(days * 24 * 3600);
}
