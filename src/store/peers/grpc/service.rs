//! What this member answers to its peers over gRPC.

use crate::codec::{decode, encode_bytes};
use crate::peers::grpc::identity::caller;
use crate::peers::grpc::{CLUSTER, DAMAGED, LINEAGE, MASTERS, MESSAGE_LIMIT, REMOVED};
use crate::peers::{Asked, Caller, Door, Refusal};
use futures::{Stream, StreamExt};
use raftsman_proto::v1::peers_server::{Peers, PeersServer};
use raftsman_proto::v1::{
    DrainRequest, DrainResponse, IdentityRequest, IdentityResponse, ProposeRequest, ProposeResponse, RaftMessage,
    ReadIndexRequest, ReadIndexResponse, SnapshotChunk, SnapshotFiles,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::sync::Arc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

/// The gRPC service `Peers`. It admits only clients whose certificate is of [`MASTERS`].
#[derive(Clone)]
pub struct PeersService {
    door: Arc<Door>,
    cluster: MetadataValue<Ascii>,
}

impl PeersService {
    pub(crate) fn new(door: Arc<Door>, cluster: MetadataValue<Ascii>) -> Self {
        Self { door, cluster }
    }

    /// The service to add to a tonic server.
    pub fn into_server(self) -> PeersServer<Self> {
        PeersServer::new(self).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
    }

    /// Admits masters of this cluster only.
    // The error is what tonic hands on.
    #[allow(clippy::result_large_err)]
    fn enter<T>(&self, request: Request<T>) -> Result<T, Status> {
        let caller = self.caller(&request)?;
        let lineage = request.metadata().get(LINEAGE).and_then(|text| text.to_str().ok()?.parse().ok());
        self.door.enter(&caller, lineage).map_err(status)?;
        Ok(request.into_inner())
    }

    #[allow(clippy::result_large_err)]
    fn admit<T>(&self, request: Request<T>, asked: Asked) -> Result<T, Status> {
        let caller = self.caller(&request)?;
        self.door.admit(&caller, asked).map_err(status)?;
        Ok(request.into_inner())
    }

    /// Who asks, if it is a master of this cluster.
    #[allow(clippy::result_large_err)]
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let caller = caller(request, MASTERS)?;
        match request.metadata().get(CLUSTER) {
            Some(found) if found == self.cluster => Ok(caller),
            _ => Err(Status::failed_precondition("this is a member of another cluster")),
        }
    }

    #[allow(clippy::result_large_err)]
    fn read<T: DeserializeOwned>(&self, request: Request<RaftMessage>) -> Result<T, Status> {
        decode(&self.enter(request)?.payload).map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Unavailable(what) => Status::unavailable(what),
        Refusal::Invalid(what) => Status::invalid_argument(what),
        Refusal::Denied(what) => Status::permission_denied(what),
        Refusal::Foreign(what) => Status::failed_precondition(what),
        Refusal::Removed(what) => {
            let mut status = Status::permission_denied(what);
            status.metadata_mut().insert(REMOVED, MetadataValue::from_static("true"));
            status
        }
        Refusal::Damaged(what) => {
            let mut status = Status::invalid_argument(what);
            status.metadata_mut().insert(DAMAGED, MetadataValue::from_static("true"));
            status
        }
        Refusal::Failed(what) => Status::internal(what),
    }
}

#[allow(clippy::result_large_err)]
fn message<T: Serialize>(answer: Result<T, Refusal>) -> Result<RaftMessage, Status> {
    let payload = encode_bytes(&answer.map_err(status)?).map_err(|error| Status::internal(error.to_string()))?;
    Ok(RaftMessage { payload })
}

fn reply<T: Serialize>(answer: Result<T, Refusal>) -> Answer<RaftMessage> {
    message(answer).map(Response::new)
}

#[tonic::async_trait]
impl Peers for PeersService {
    type AppendStream = Pin<Box<dyn Stream<Item = Result<RaftMessage, Status>> + Send>>;

    async fn append(&self, request: Request<Streaming<RaftMessage>>) -> Answer<Self::AppendStream> {
        let input = self.enter(request)?;
        let requests = futures::stream::unfold(input, |mut input| async move {
            let message = input.message().await.ok().flatten()?;
            match decode(&message.payload) {
                Ok(append) => Some((append, input)),
                Err(error) => {
                    tracing::warn!(%error, "entries from a peer cannot be read");
                    None
                }
            }
        });
        let answers = self.door.append(Box::pin(requests)).map_err(status)?;
        Ok(Response::new(Box::pin(answers.map(message))))
    }

    async fn append_once(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        let append = self.read(request)?;
        reply(self.door.append_once(append).await)
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        let vote = self.read(request)?;
        reply(self.door.vote(vote).await)
    }

    async fn pre_vote(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        let vote = self.read(request)?;
        reply(self.door.pre_vote(vote).await)
    }

    async fn identity(&self, request: Request<IdentityRequest>) -> Answer<IdentityResponse> {
        self.admit(request, Asked::ByRaft)?;
        let known = self.door.identity().map_err(status)?;
        let vote = known.vote.map_or_else(|| Ok(bytes::Bytes::new()), |vote| encode_bytes(&vote));
        let vote = vote.map_err(|error| Status::internal(error.to_string()))?;
        let members = known.members.map_or_else(|| Ok(bytes::Bytes::new()), |members| encode_bytes(&*members));
        let members = members.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(IdentityResponse { last_log: known.last_log, vote, members, lineage: known.lineage }))
    }

    async fn snapshot_held(&self, request: Request<SnapshotFiles>) -> Answer<SnapshotFiles> {
        let offered = self.enter(request)?.files;
        let files = self.door.snapshot_held(offered).await.map_err(status)?;
        Ok(Response::new(SnapshotFiles { files }))
    }

    async fn install_snapshot(&self, request: Request<Streaming<SnapshotChunk>>) -> Answer<RaftMessage> {
        let input = self.enter(request)?;
        // A break ends the stream early, and the snapshot is refused as incomplete.
        let chunks = futures::stream::unfold(input, |mut input| async move {
            let chunk = input.message().await.ok().flatten()?;
            Some((chunk, input))
        });
        reply(self.door.install_snapshot(Box::pin(chunks)).await)
    }

    async fn transfer_leader(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        let transfer = self.read(request)?;
        reply(self.door.transfer_leader(transfer).await)
    }

    async fn propose(&self, request: Request<ProposeRequest>) -> Answer<ProposeResponse> {
        let txns = self.admit(request, Asked::OfLeader)?.txns;
        let proposed = self.door.propose(txns).await.map_err(status)?;
        Ok(Response::new(ProposeResponse { proposed }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Answer<DrainResponse> {
        let recorded = self.enter(request)?.recorded;
        self.door.drain(recorded).await.map_err(status)?;
        Ok(Response::new(DrainResponse {}))
    }

    async fn read_index(&self, request: Request<ReadIndexRequest>) -> Answer<ReadIndexResponse> {
        self.admit(request, Asked::OfLeader)?;
        self.door.read_index().await.map(Response::new).map_err(status)
    }
}
