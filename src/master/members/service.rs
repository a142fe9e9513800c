//! What masters ask of one another about who they are.

use crate::members::Facts;
use crate::pki::{Identity, MASTERS};
use raftsman_proto::v1::membership_server::Membership;
use raftsman_proto::v1::{ChangeRequest, ChangeResponse, DescribeRequest, DescribeResponse, KeysRequest, KeysResponse};
use raftsman_store::border::Change;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// A request that is given up after a while.
pub(super) fn remote<T>(message: T, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request
}

/// The gRPC service `Membership`.
pub struct MembershipService(pub Arc<Facts>);

#[tonic::async_trait]
impl Membership for MembershipService {
    async fn change(&self, request: Request<ChangeRequest>) -> Result<Response<ChangeResponse>, Status> {
        self.member(&request)?;
        let change: Change = serde_json::from_slice(&request.into_inner().change)
            .map_err(|error| Status::invalid_argument(format!("the change is not known to this version: {error}")))?;
        let json =
            |value: Result<Vec<u8>, serde_json::Error>| value.map_err(|error| Status::internal(error.to_string()));
        let response = match self.0.store.change_members(change).await {
            Ok(changed) => {
                ChangeResponse { changed: json(serde_json::to_vec(&changed))?.into(), ..ChangeResponse::default() }
            }
            Err(error) => {
                ChangeResponse { error: json(serde_json::to_vec(&error))?.into(), ..ChangeResponse::default() }
            }
        };
        Ok(Response::new(response))
    }

    async fn describe(&self, request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        self.member(&request)?;
        Ok(Response::new(self.0.own()))
    }

    async fn keys(&self, request: Request<KeysRequest>) -> Result<Response<KeysResponse>, Status> {
        let name = self.member(&request)?;
        let id = request.get_ref().member;
        let known = self.0.store.members().borrow().get(id).is_some_and(|member| member.name == name);
        if !known {
            return Err(Status::permission_denied(format!("{name} is not member {id} of this cluster")));
        }
        let read = |file: &str| std::fs::read_to_string(self.0.pki.join(file)).unwrap_or_default();
        tracing::info!(name, id, "giving the cluster's keys to a master that has joined");
        Ok(Response::new(KeysResponse { ca_key: read("ca.key"), sa_key: read("sa.key") }))
    }
}

impl MembershipService {
    /// Admits masters that are members now; the name of the one that asks. A certificate alone admits nobody.
    #[allow(clippy::result_large_err)]
    fn member<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let identity = Identity::of(request)?;
        identity.require(MASTERS)?;
        let name = identity.host().to_owned();
        if self.0.store.members().borrow().all.iter().any(|member| member.name == name) {
            return Ok(name);
        }
        Err(Status::permission_denied(format!("{name} is no master of this cluster (any more)")))
    }
}
