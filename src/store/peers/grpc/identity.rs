//! Who is at the other end of a connection.

use crate::peers::Caller;
use tonic::{Request, Status};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Refuses a request whose client certificate does not carry this organisation (`O`): masters are in
/// `raftsman:masters`.
///
/// # Errors
/// `UNAUTHENTICATED` without a certificate, `PERMISSION_DENIED` with another organisation.
// The error is what tonic hands on.
#[allow(clippy::result_large_err)]
pub fn require_organisation<T>(request: &Request<T>, organisation: &str) -> Result<(), Status> {
    names(request, organisation).map(drop)
}

/// Who asks, if it is of this organisation.
#[allow(clippy::result_large_err)]
pub(super) fn caller<T>(request: &Request<T>, organisation: &str) -> Result<Caller, Status> {
    let names = names(request, organisation)?;
    let member = request.metadata().get(super::MEMBER).and_then(|id| id.to_str().ok()?.parse().ok());
    Ok(Caller { member: member.unwrap_or(0), names })
}

/// The names that the client's certificate carries.
#[allow(clippy::result_large_err)]
fn names<T>(request: &Request<T>, organisation: &str) -> Result<Vec<String>, Status> {
    let certificates = request.peer_certs().ok_or_else(|| Status::unauthenticated("a client certificate is needed"))?;
    let first = certificates.first().ok_or_else(|| Status::unauthenticated("a client certificate is needed"))?;
    let (_, certificate) = X509Certificate::from_der(first.as_ref())
        .map_err(|error| Status::unauthenticated(format!("the client certificate cannot be read: {error}")))?;
    let carries =
        certificate.subject().iter_organization().any(|found| found.as_str().is_ok_and(|o| o == organisation));
    if !carries {
        return Err(Status::permission_denied(format!("the client certificate is not of organisation {organisation}")));
    }
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|extension| &extension.value.general_names);
    let names = alternatives.filter_map(|name| match name {
        // Every host's certificate carries these too: they name nobody.
        GeneralName::DNSName("localhost") => None,
        GeneralName::DNSName(name) if name.starts_with("kubernetes") => None,
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Ok(names.collect())
}
