//! What other masters ask of the leader.

use crate::nodes::{Ack, LeaderMemory};
use crate::pki::{Identity, MASTERS};
use raftsman_proto::v1::leader_server::Leader;
use raftsman_proto::v1::{HeartbeatsRequest, HeartbeatsResponse};
use raftsman_store::border::Store;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// The gRPC service `Leader`.
pub struct LeaderService {
    /// Where signs of life end.
    pub memory: Arc<LeaderMemory>,
    /// Has the leadership confirmed.
    pub store: Arc<dyn Store>,
}

#[tonic::async_trait]
impl Leader for LeaderService {
    async fn heartbeats(&self, request: Request<HeartbeatsRequest>) -> Result<Response<HeartbeatsResponse>, Status> {
        Identity::of(&request)?.require(MASTERS)?;
        let ack = self.memory.take(&request.into_inner().nodes, self.store.as_ref()).await;
        Ok(Response::new(match ack {
            Some(Ack { term, valid }) => HeartbeatsResponse { accepted: true, term, valid_ms: millis(valid) },
            None => HeartbeatsResponse::default(),
        }))
    }
}

/// Milliseconds, rounded down.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
