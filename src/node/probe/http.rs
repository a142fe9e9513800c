//! One HTTP GET to a pod.

use super::Outcome;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

const MOST_BODY: usize = 10 * 1024;

/// What is asked.
pub(super) struct Get<'a> {
    pub address: SocketAddr,
    pub host: String,
    pub path: &'a str,
    pub https: bool,
    pub headers: &'a [(String, String)],
}

pub(super) async fn get(get: Get<'_>) -> Outcome {
    match fetch(get).await {
        Ok(200..400) => Outcome::Success,
        Ok(code) => Outcome::Failure(format!("HTTP probe failed with statuscode: {code}")),
        Err(error) => Outcome::Failure(error),
    }
}

/// The answer's status.
pub(super) async fn fetch(get: Get<'_>) -> Result<u16, String> {
    attempt(&get).await.map_err(|error| {
        let scheme = if get.https { "https" } else { "http" };
        format!("Get \"{scheme}://{}{}\": {error}", get.host, get.path)
    })
}

async fn attempt(get: &Get<'_>) -> Result<u16, String> {
    let stream = TcpStream::connect(get.address).await;
    let stream = stream.map_err(|error| format!("dial tcp {}: connect: {error}", get.address))?;
    if !get.https {
        return exchange(get, stream).await;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let verifier = Arc::new(AnyCertificate(provider));
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = ServerName::IpAddress(get.address.ip().into());
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    exchange(get, stream.map_err(|error| error.to_string())?).await
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(get: &Get<'_>, stream: S) -> Result<u16, String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let mut request = http::Request::get(get.path);
    let given = |name: &str| get.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    for (name, value) in get.headers {
        request = request.header(name, value);
    }
    for (name, value) in [("host", get.host.as_str()), ("user-agent", "kube-probe/1.36"), ("accept", "*/*")] {
        if !given(name) {
            request = request.header(name, value);
        }
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    // Read what comes, so that the other side sees a whole exchange; too much of it is no failure.
    let _ = Limited::new(response.into_body(), MOST_BODY).collect().await;
    drop(connection);
    Ok(status.as_u16())
}

/// Probes do not check certificates (core/v1 `HTTPGetAction.scheme`).
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
