//! One member, over its connections.

use crate::codec::{decode, encode_bytes};
use crate::peers::grpc::clients::{Client, Clients};
use crate::peers::{Append, AppendAnswer, BoxedStream, Identity, Peer, PeerError};
use crate::raft::types::TypeConfig;
use crate::rt;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::raft::{
    AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use raftsman_proto::v1::{
    DrainRequest, IdentityRequest, ProposeRequest, Proposed, RaftMessage, ReadIndexRequest, ReadIndexResponse,
    SnapshotChunk, SnapshotFile, SnapshotFiles,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

/// See the module.
pub(crate) struct GrpcPeer {
    pub(crate) cluster: MetadataValue<Ascii>,
    /// This member's own id.
    pub(crate) member: MetadataValue<Ascii>,
    pub(crate) lineage: Arc<AtomicU64>,
    pub(crate) clients: Clients,
}

impl GrpcPeer {
    /// A request that names the cluster, the caller and its data's lineage.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(super::CLUSTER, self.cluster.clone());
        request.metadata_mut().insert(super::MEMBER, self.member.clone());
        request.metadata_mut().insert(super::LINEAGE, self.lineage.load(Ordering::Acquire).into());
        request
    }

    fn timed<T>(&self, message: T, patience: Duration) -> Request<T> {
        let mut request = self.request(message);
        request.set_timeout(patience);
        request
    }

    fn message<T: Serialize>(&self, value: &T, patience: Duration) -> Result<Request<RaftMessage>, PeerError> {
        Ok(self.timed(RaftMessage { payload: encode_bytes(value).map_err(broken)? }, patience))
    }

    fn prompt(&self) -> Client {
        self.clients.prompt.clone()
    }

    fn bulk(&self) -> Client {
        self.clients.bulk.clone()
    }
}

fn broken(error: io::Error) -> PeerError {
    PeerError::Broken(error.to_string())
}

fn remote(status: Status) -> PeerError {
    if status.metadata().contains_key(super::REMOVED) {
        return PeerError::Removed(status.message().to_owned());
    }
    if status.metadata().contains_key(super::DAMAGED) {
        return PeerError::Damaged(status.message().to_owned());
    }
    PeerError::Unreachable(format!("{}: {}", status.code(), status.message()))
}

fn answer<T: DeserializeOwned>(response: Result<Response<RaftMessage>, Status>) -> Result<T, PeerError> {
    let message = response.map_err(remote)?.into_inner();
    decode(&message.payload).map_err(broken)
}

async fn within<T>(
    patience: Duration,
    asked: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, PeerError> {
    match rt::timeout(patience, asked).await {
        Ok(answered) => Ok(answered.map_err(remote)?.into_inner()),
        Err(_) => Err(PeerError::Unreachable("no answer".into())),
    }
}

/// A stream that is sent: a type of its own, because the compiler cannot see through the box in an `async fn` of a trait.
struct Outgoing<T>(BoxedStream<T>);

impl<T> Stream for Outgoing<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// A request that cannot be encoded ends the stream; Raft begins a new one and meets the error again.
fn encoded(requests: BoxedStream<Append>) -> Outgoing<RaftMessage> {
    Outgoing(Box::pin(requests.map(|request| encode_bytes(&request)).scan((), |(), encoded| {
        ready(match encoded {
            Ok(payload) => Some(RaftMessage { payload }),
            Err(error) => {
                tracing::error!(%error, "entries cannot be sent");
                None
            }
        })
    })))
}

#[async_trait::async_trait]
impl Peer for GrpcPeer {
    async fn append(
        &self,
        requests: BoxedStream<Append>,
    ) -> Result<BoxedStream<Result<AppendAnswer, PeerError>>, PeerError> {
        let responses = self.bulk().append(self.request(encoded(requests))).await.map_err(remote)?.into_inner();
        Ok(Box::pin(responses.map(|response| decode(&response.map_err(remote)?.payload).map_err(broken))))
    }

    async fn append_once(
        &self,
        request: Append,
        patience: Duration,
    ) -> Result<AppendEntriesResponse<TypeConfig>, PeerError> {
        answer(self.prompt().append_once(self.message(&request, patience)?).await)
    }

    async fn vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError> {
        answer(self.prompt().vote(self.message(&request, patience)?).await)
    }

    async fn pre_vote(
        &self,
        request: VoteRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<VoteResponse<TypeConfig>, PeerError> {
        answer(self.prompt().pre_vote(self.message(&request, patience)?).await)
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest<TypeConfig>,
        patience: Duration,
    ) -> Result<TransferLeaderResponse<TypeConfig>, PeerError> {
        answer(self.prompt().transfer_leader(self.message(&request, patience)?).await)
    }

    async fn install_snapshot(
        &self,
        chunks: BoxedStream<SnapshotChunk>,
    ) -> Result<SnapshotResponse<TypeConfig>, PeerError> {
        answer(self.clients.snapshot.clone().install_snapshot(self.request(Outgoing(chunks))).await)
    }

    async fn snapshot_held(
        &self,
        files: Vec<SnapshotFile>,
        patience: Duration,
    ) -> Result<Vec<SnapshotFile>, PeerError> {
        let request = self.timed(SnapshotFiles { files }, patience);
        Ok(within(patience, self.clients.snapshot.clone().snapshot_held(request)).await?.files)
    }

    async fn identity(&self, member: u64, patience: Duration) -> Result<Identity, PeerError> {
        let request = self.timed(IdentityRequest { member }, patience);
        let response = within(patience, self.prompt().identity(request)).await?;
        let vote = if response.vote.is_empty() { None } else { Some(decode(&response.vote).map_err(broken)?) };
        let members = &response.members;
        let members = if members.is_empty() { None } else { Some(Arc::new(decode(members).map_err(broken)?)) };
        Ok(Identity { last_log: response.last_log, vote, members, lineage: response.lineage })
    }

    async fn propose(&self, txns: Vec<Bytes>, patience: Duration) -> Result<Vec<Proposed>, PeerError> {
        let request = self.timed(ProposeRequest { txns }, patience);
        Ok(within(patience, self.bulk().propose(request)).await?.proposed)
    }

    async fn drain(&self, recorded: u64, patience: Duration) -> Result<(), PeerError> {
        let request = self.timed(DrainRequest { recorded }, patience);
        within(patience, self.prompt().drain(request)).await.map(drop)
    }

    async fn read_index(&self, patience: Duration) -> Result<ReadIndexResponse, PeerError> {
        let request = self.timed(ReadIndexRequest {}, patience);
        within(patience, self.prompt().read_index(request)).await
    }
}
