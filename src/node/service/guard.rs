//! Who may ask: masters, by the organisation in their certificate.

use super::AgentService;
use crate::error::AgentError;
use crate::stream::Identity;
use raftsman_proto::v1::agent_server::AgentServer;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity as TlsIdentity, Server, ServerTlsConfig};
use tonic::{Request, Status};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The organisation that masters' certificates have.
const MASTERS: &str = "raftsman:masters";

/// Whether this certificate (DER) is a master's.
pub(super) fn is_master(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    certificate.subject().iter_organization().any(|organization| organization.as_str() == Ok(MASTERS))
}

fn check(request: Request<()>) -> Result<Request<()>, Status> {
    let certificates = request.peer_certs();
    let own = certificates.as_ref().and_then(|certificates| certificates.first());
    match own {
        Some(certificate) if is_master(certificate) => Ok(request),
        Some(_) => Err(Status::permission_denied("only masters may use a node's service")),
        None => Err(Status::unauthenticated("a client certificate is needed")),
    }
}

/// Listens at `address`, and serves until `shutdown`.
///
/// # Errors
/// The address is in use, or certificate and key do not fit.
pub async fn serve(
    service: AgentService,
    identity: &Identity,
    address: SocketAddr,
    shutdown: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + use<>, AgentError> {
    let failed = |reason: String| AgentError::Listen { address: address.to_string(), reason };
    let tls = ServerTlsConfig::new()
        .identity(TlsIdentity::from_pem(&identity.certificate, &identity.key))
        .client_ca_root(Certificate::from_pem(&identity.ca));
    let mut server = Server::builder().tcp_nodelay(true).tls_config(tls).map_err(|error| failed(error.to_string()))?;
    let listener = TcpListener::bind(address).await.map_err(|error| failed(error.to_string()))?;
    let router = server.add_service(AgentServer::with_interceptor(service, check));
    Ok(async move {
        let served =
            router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the node's service has ended");
        }
    })
}
