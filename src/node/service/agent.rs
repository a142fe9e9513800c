//! The service itself.

use super::forward;
use super::streams::{self, Outputs};
use futures::{Stream, StreamExt};
use raftsman_proto::v1::agent_server::Agent;
use raftsman_proto::v1::{
    Chunk, ForwardInput, Image, ListImagesRequest, ListImagesResponse, LogsRequest, PodRef, StreamInput,
};
use raftsman_runtime::border::{ExecRequest, Images, LogOptions, Pods, RuntimeError};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tonic::{Request, Response, Status, Streaming};

/// Logs, exec, attach, port-forward and images of this node.
#[derive(Clone)]
pub struct AgentService {
    /// Containers.
    pub pods: Arc<dyn Pods>,
    /// Images.
    pub images: Arc<dyn Images>,
}

pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

/// The runtime's error in gRPC's terms.
pub(super) fn status(error: &RuntimeError) -> Status {
    let text = error.to_string();
    match error {
        RuntimeError::NotFound(_) => Status::not_found(text),
        RuntimeError::Transient(_) => Status::unavailable(text),
        _ => Status::invalid_argument(text),
    }
}

/// The pod's uid.
pub(super) fn uid(pod: Option<PodRef>) -> Result<String, Status> {
    match pod {
        Some(pod) if !pod.uid.is_empty() => Ok(pod.uid),
        _ => Err(Status::invalid_argument("the request names no pod")),
    }
}

fn options(request: &LogsRequest) -> LogOptions {
    let since: Option<SystemTime> =
        request.since_time_ms.and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
    LogOptions {
        follow: request.follow,
        previous: request.previous,
        tail_lines: request.tail_lines,
        since,
        since_seconds: request.since_seconds.map(Duration::from_secs),
        limit_bytes: request.limit_bytes,
        timestamps: request.timestamps,
    }
}

#[tonic::async_trait]
impl Agent for AgentService {
    type LogsStream = Chunks;
    type ExecStream = Outputs;
    type AttachStream = Outputs;
    type PortForwardStream = Chunks;

    async fn logs(&self, request: Request<LogsRequest>) -> Result<Response<Chunks>, Status> {
        let request = request.into_inner();
        let options = options(&request);
        let uid = uid(request.pod)?;
        let lines = self.pods.logs(&uid, &request.container, options).await.map_err(|error| status(&error))?;
        let chunks = lines.map(|data| data.map(|data| Chunk { data }).map_err(|error| status(&error)));
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn exec(&self, request: Request<Streaming<StreamInput>>) -> Result<Response<Outputs>, Status> {
        let (start, inputs) = streams::start(request.into_inner()).await?;
        if start.command.is_empty() {
            return Err(Status::invalid_argument("the request names no command"));
        }
        let uid = uid(start.pod.clone())?;
        let (io, wires) = streams::wires(&start);
        let request = ExecRequest { container: start.container, command: start.command, tty: start.tty };
        let pods = Arc::clone(&self.pods);
        let work = async move { pods.exec(&uid, request, io).await.map(Some) };
        Ok(Response::new(streams::run(inputs, wires, work)))
    }

    async fn attach(&self, request: Request<Streaming<StreamInput>>) -> Result<Response<Outputs>, Status> {
        let (start, inputs) = streams::start(request.into_inner()).await?;
        let uid = uid(start.pod.clone())?;
        let (io, wires) = streams::wires(&start);
        let pods = Arc::clone(&self.pods);
        let work = async move { pods.attach(&uid, &start.container, io).await.map(|()| None) };
        Ok(Response::new(streams::run(inputs, wires, work)))
    }

    async fn port_forward(&self, request: Request<Streaming<ForwardInput>>) -> Result<Response<Chunks>, Status> {
        forward::forward(self.pods.as_ref(), request.into_inner()).await.map(Response::new)
    }

    async fn list_images(&self, _request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let images = self.images.list().await.map_err(|error| status(&error))?;
        let images = images.into_iter().map(|image| Image { id: image.id, names: image.names, size: image.size });
        Ok(Response::new(ListImagesResponse { images: images.collect() }))
    }
}
