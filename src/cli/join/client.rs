//! Two requests to one master: one before anything is trusted, one after.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection and its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// A join may wait for a change of the members before it.
const ANSWER: Duration = Duration::from_secs(90);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum JoinError {
    /// The master refused for good.
    #[error("{0}")]
    Refused(String),
    /// Not now, or it cannot be reached: worth asking again.
    #[error("{0:#}")]
    Later(anyhow::Error),
}

/// One master, and what of it is believed.
pub(super) struct MasterClient {
    server: String,
    host: String,
    tls: TlsConnector,
}

impl MasterClient {
    /// Before the authority is known: whoever answers is believed to be there, and nothing more.
    pub(super) fn unknown(server: &str) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        Self::with(server, tls)
    }

    /// A master of the cluster of this authority (PEM), or nobody.
    pub(super) fn trusting(server: &str, authority: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate.context("the cluster's authority")?).context("the cluster's authority")?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::with(server, tls)
    }

    fn with(server: &str, tls: ClientConfig) -> anyhow::Result<Self> {
        let server =
            if server.contains(':') && !server.ends_with(']') { server.to_owned() } else { format!("{server}:6443") };
        let Some((host, _)) = server.rsplit_once(':') else {
            bail!("--join {server:?}: say HOST:PORT of a master's API")
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { server, host, tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Asks; the answer's JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, JoinError> {
        let (code, text) = self.send(method, path, bearer, body).await.map_err(JoinError::Later)?;
        if code == 200 {
            let odd = |error: serde_json::Error| {
                JoinError::Refused(format!("{}: the answer makes no sense: {error}", self.server))
            };
            return serde_json::from_slice(&text).map_err(odd);
        }
        let status: Value = serde_json::from_slice(&text).unwrap_or_default();
        let message = status["message"].as_str().map_or_else(|| format!("it answered with {code}"), str::to_owned);
        match code {
            429 | 503 => Err(JoinError::Later(anyhow::anyhow!("{}: {message}", self.server))),
            404 => Err(JoinError::Refused(format!("{} is no raftsman master: {message}", self.server))),
            _ => Err(JoinError::Refused(message)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: &impl Serialize,
    ) -> anyhow::Result<(u16, Bytes)> {
        let whom = || format!("master {} cannot be reached", self.server);
        let connected = tokio::time::timeout(CONNECT, async {
            let stream = TcpStream::connect(&self.server).await?;
            let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
            self.tls.connect(name, stream).await
        });
        let stream = match connected.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(explained(error)).with_context(whom),
            Err(_) => bail!("{}: no answer within {} s", whom(), CONNECT.as_secs()),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the request's answer.
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.server);
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = Full::new(Bytes::from(serde_json::to_vec(body)?));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body)?;
        let answered = tokio::time::timeout(ANSWER, async {
            let answer = sender.send_request(request).await?;
            let code = answer.status().as_u16();
            Ok::<_, hyper::Error>((code, answer.into_body().collect().await?.to_bytes()))
        });
        let answered = answered.await;
        connection.abort();
        answered
            .with_context(|| format!("master {}: no answer within {} s", self.server, ANSWER.as_secs()))?
            .with_context(whom)
    }
}

/// Certificates that are not valid now are mostly a matter of clocks.
fn explained(error: std::io::Error) -> anyhow::Error {
    let text = error.to_string();
    let clocks = text.contains("expired") || text.contains("not valid yet");
    let error = anyhow::Error::from(error);
    if clocks { error.context("its certificate is not valid now: is the clock of this host right?") } else { error }
}

/// Believes that somebody is there, and checks only that the handshake is the same one's.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
