//! The gRPC service that nodes connect to.

use crate::nodes::leader::millis;
use crate::nodes::stream::{self, ACK_WITHIN};
use crate::nodes::{Ack, Relay, Reports};
use crate::pki::{Identity, NODES};
use raftsman_apiserver::write::Api;
use raftsman_proto::v1::masters_server::Masters;
use raftsman_proto::v1::node_message::Message;
use raftsman_proto::v1::{MasterMessage, NodeMessage, RenewRequest, RenewResponse};
use raftsman_store::border::Members;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// How long a node's first message may take.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// How long a node that has seen a later revision waits for this master to reach it.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What all streams of this master share.
pub struct NodeStreams {
    /// The write path.
    pub api: Arc<Api>,
    /// Towards the leader's memory.
    pub relay: Relay,
    /// Only nodes of this cluster are welcome.
    pub cluster_id: String,
    /// All masters' addresses of this service.
    pub masters: watch::Receiver<Arc<Members>>,
    /// Ends the streams when the process stops.
    pub shutdown: CancellationToken,
    /// Where the streams' work is done: not on the threads that serve the peer port.
    pub work: tokio::runtime::Handle,
}

/// The gRPC service `Masters`.
pub struct MastersService(pub Arc<NodeStreams>);

#[tonic::async_trait]
impl Masters for MastersService {
    type ConnectStream = ReceiverStream<Result<MasterMessage, Status>>;

    async fn connect(&self, request: Request<Streaming<NodeMessage>>) -> Result<Response<Self::ConnectStream>, Status> {
        let identity = Identity::of(&request)?;
        identity.require(NODES)?;
        let mut inbound = request.into_inner();
        let first = tokio::time::timeout(HELLO_WITHIN, inbound.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello"))??;
        let Some(Message::Hello(hello)) = first.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("the first message must be a hello"));
        };
        self.welcome(&identity, &hello.cluster_id, &hello.node)?;
        let view = self.first_view(&hello).await?;
        let (out, answers) = mpsc::channel(64);
        let reports = Reports::new(self.0.api.clone(), &hello.node);
        self.0.work.spawn(stream::run(self.0.clone(), hello.node, inbound, out, reports, view));
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let identity = Identity::of(&request)?;
        identity.require(NODES)?;
        let RenewRequest { cluster_id, node } = request.into_inner();
        self.welcome(&identity, &cluster_id, &node)?;
        let seen = tokio::time::timeout(ACK_WITHIN, self.0.relay.seen(&node)).await;
        Ok(Response::new(match seen {
            Ok(Some(Ack { term, valid })) => RenewResponse { renewed: true, term, valid_ms: millis(valid) },
            _ => RenewResponse::default(),
        }))
    }
}

impl MastersService {
    /// Only nodes of this cluster, each for itself.
    fn welcome(&self, identity: &Identity, cluster_id: &str, node: &str) -> Result<(), Status> {
        let own = &self.0.cluster_id;
        if cluster_id != own {
            let why = format!("this is cluster {own}, the node {node} belongs to {cluster_id}");
            return Err(Status::failed_precondition(why));
        }
        if identity.name != format!("system:node:{node}") {
            return Err(Status::permission_denied(format!("{} may not speak for node {node}", identity.name)));
        }
        Ok(())
    }

    /// A linearizable view that is not older than what the node has seen.
    async fn first_view(&self, hello: &raftsman_proto::v1::Hello) -> Result<raftsman_state::View, Status> {
        let store = self.0.api.store();
        let unavailable = |e: raftsman_store::border::StoreError| Status::unavailable(e.to_string());
        let view = store.read().await.map_err(unavailable)?;
        if view.epoch() != hello.epoch || view.revision() >= hello.revision {
            return Ok(view);
        }
        store.at_least(hello.revision, CATCH_UP).await.map_err(unavailable)
    }
}
