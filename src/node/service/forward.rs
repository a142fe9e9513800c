//! Bytes to and from a TCP port inside a pod.

use super::agent::{Chunks, status, uid};
use bytes::Bytes;
use futures::Stream;
use nix::sched::{CloneFlags, setns};
use raftsman_proto::v1::{Chunk, ForwardInput};
use raftsman_runtime::border::{ContainerPhase, ContainerStatus, PodSpec, PodStatus, Pods};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

const CONNECT: Duration = Duration::from_secs(5);
const PIECE: usize = 32 * 1024;
const QUEUE: usize = 16;

/// Connects to localhost inside a network namespace. The thread that enters it ends with the call.
async fn connect_inside(netns: PathBuf, port: u16) -> std::io::Result<TcpStream> {
    let (sender, result) = oneshot::channel();
    let connect = move || {
        let namespace = std::fs::File::open(netns)?;
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        std::net::TcpStream::connect_timeout(&address, CONNECT)
    };
    std::thread::Builder::new().name("port-forward".to_owned()).spawn(move || {
        let _ = sender.send(connect());
    })?;
    let stream = result.await.map_err(std::io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// Localhost inside the pod, else the pod's address (a listener on that alone).
async fn connect(pod: &PodStatus, port: u16) -> std::io::Result<TcpStream> {
    let first = match &pod.netns {
        Some(netns) => connect_inside(netns.clone(), port).await,
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await,
    };
    match (first, pod.address) {
        (Err(_), Some(ip)) => tokio::time::timeout(CONNECT, TcpStream::connect((ip, port))).await?,
        (first, _) => first,
    }
}

fn runs(pod: &PodStatus) -> bool {
    let running = |container: &ContainerStatus| matches!(container.phase, ContainerPhase::Running { .. });
    pod.ready && !pod.released && pod.containers.iter().any(running)
}

/// One connection for one call.
pub(super) async fn forward(pods: &dyn Pods, mut inputs: Streaming<ForwardInput>) -> Result<Chunks, Status> {
    let first = inputs.message().await?.ok_or_else(|| Status::invalid_argument("the request is empty"))?;
    let uid = uid(first.pod)?;
    let port = u16::try_from(first.port).ok().filter(|port| *port != 0);
    let port = port.ok_or_else(|| Status::invalid_argument(format!("{} is no port", first.port)))?;
    let pod = pods.pod(&uid).await.map_err(|error| status(&error))?;
    // Its address may be another pod's by now.
    if !runs(&pod) {
        let PodSpec { namespace, name, .. } = &pod.spec;
        return Err(Status::unavailable(format!("pod {namespace}/{name}: no container of it runs")));
    }
    let stream = connect(&pod, port).await;
    let stream = stream.map_err(|error| {
        Status::unavailable(format!("pod {}/{}: port {port}: {error}", pod.spec.namespace, pod.spec.name))
    })?;
    Ok(Box::pin(relay(stream, first.data, inputs)))
}

fn relay(
    stream: TcpStream,
    first: Bytes,
    mut inputs: Streaming<ForwardInput>,
) -> impl Stream<Item = Result<Chunk, Status>> + Send {
    let (mut reader, mut writer) = stream.into_split();
    let (sink, chunks) = mpsc::channel(QUEUE);
    let up = async move {
        writer.write_all(&first).await?;
        while let Ok(Some(input)) = inputs.message().await {
            writer.write_all(&input.data).await?;
        }
        writer.shutdown().await
    };
    let down = async move {
        loop {
            let mut piece = vec![0; PIECE];
            let answer = match reader.read(&mut piece).await {
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    Ok(Chunk { data: piece.into() })
                }
                Err(error) => Err(Status::unavailable(error.to_string())),
            };
            let last = answer.is_err();
            if sink.send(answer).await.is_err() || last {
                return;
            }
        }
    };
    tokio::spawn(async move {
        // The pod's end decides: what it still sends after ours has ended is delivered.
        let up = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(up));
        down.await;
        drop(up);
    });
    ReceiverStream::new(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{exited, root, running};

    #[test]
    fn only_what_runs_is_connected_to() {
        assert!(runs(&root(vec![exited("a", 0, 0, 1, 0), running("b", 0, 0)])));
        assert!(!runs(&root(vec![exited("a", 0, 0, 1, 0)])));
        assert!(!runs(&PodStatus { released: true, ..root(vec![running("b", 0, 0)]) }));
    }
}
