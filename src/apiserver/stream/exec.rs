//! `pods/exec` and `pods/attach`: a WebSocket's channels to the node's gRPC stream and back.

use super::channels::{self, STDOUT};
use super::place::{self, Place};
use super::socket::{Socket, handshake};
use crate::http::{Answer, Asked, Front};
use crate::write::Target;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::OnUpgrade;
use raftsman_api::kind::Subresource;
use raftsman_api::status::Status;
use raftsman_proto::v1::stream_input::Input;
use raftsman_proto::v1::{StreamInput, StreamOutput, StreamStart};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// Sub-protocols, the best first.
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// Between pings, which keep middle boxes from forgetting a silent session.
const PINGS: Duration = Duration::from_secs(30);
/// A client that was told goodbye gets so long to say it, too.
const PARTING: Duration = Duration::from_secs(10);

/// Answers exec, attach and port-forward.
///
/// # Errors
/// 400 without a WebSocket or for the container, 404, and what the node refuses.
pub(crate) async fn connect(
    front: &Arc<Front>,
    target: &Target,
    asked: &Asked,
    upgrade: Option<OnUpgrade>,
) -> Result<Answer, Status> {
    if target.part == Some(Subresource::PortForward) {
        return super::forward::forward(front, target, asked, upgrade).await;
    }
    let handshake = handshake(&asked.headers, upgrade, PROTOCOLS)?;
    let place = place::find(&front.api, target, &asked.params).await?;
    let start = start(target, asked, &place)?;
    let (to_node, inputs) = mpsc::channel(16);
    // There is room: nothing was sent yet.
    let _ = to_node.try_send(StreamInput { input: Some(Input::Start(start)) });
    let mut agent = front.nodes.agent(place.address).map_err(|error| Status::internal(error.to_string()))?;
    let inputs = ReceiverStream::new(inputs);
    let outputs = match target.part {
        Some(Subresource::Attach) => agent.attach(inputs).await,
        _ => agent.exec(inputs).await,
    };
    let outputs = outputs.map_err(|status| place.failed(&status))?.into_inner();
    let shutdown = front.shutdown.clone();
    let attached = target.part == Some(Subresource::Attach);
    Ok(handshake.accept(move |socket| relay(socket, to_node, outputs, attached, shutdown)))
}

fn start(target: &Target, asked: &Asked, place: &Place) -> Result<StreamStart, Status> {
    let params = &asked.params;
    let flag = |name: &str| params.flag(name).map(|value| value.unwrap_or(false));
    let start = StreamStart {
        pod: Some(place.pod.clone()),
        container: place.container.clone(),
        command: params.all("command"),
        tty: flag("tty")?,
        stdin: flag("stdin")?,
        stdout: flag("stdout")?,
        // A terminal has one output: upstream drops the other wish, too.
        stderr: flag("stderr")? && !flag("tty")?,
    };
    if target.part == Some(Subresource::Exec) && start.command.is_empty() {
        return Err(Status::bad_request("you must specify at least one command for the container"));
    }
    if !start.stdin && !start.stdout && !start.stderr {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    Ok(start)
}

/// Carries messages both ways until the command ends, a side goes away, or the server ends.
async fn relay(
    socket: Socket,
    to_node: mpsc::Sender<StreamInput>,
    mut outputs: tonic::Streaming<StreamOutput>,
    attached: bool,
    shutdown: CancellationToken,
) {
    let (mut to_client, mut from_client) = socket.split();
    // Tells the client that the connection stands.
    if to_client.send(Message::Binary(channels::message(STDOUT, &[]))).await.is_err() {
        return;
    }
    let mut pings = tokio::time::interval(PINGS);
    let reading = async {
        while let Some(Ok(message)) = from_client.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => text.into(),
                Message::Close(_) => break,
                _ => continue,
            };
            if let Some(input) = channels::input(&bytes)
                && to_node.send(input).await.is_err()
            {
                // The node listens no more; what it still says is carried on.
                std::future::pending::<()>().await;
            }
        }
    };
    let writing = async {
        loop {
            tokio::select! {
                output = outputs.message() => {
                    let (bytes, last) = match output {
                        Ok(Some(output)) => match channels::output(output) {
                            Some(out) => out,
                            None => continue,
                        },
                        // Who only looked on saw all there was; the pod's status tells how its container ended.
                        Ok(None) if attached => (channels::exited(0), true),
                        Ok(None) => (channels::broken("the node ended the stream without an exit code"), true),
                        Err(status) => (channels::broken(status.message()), true),
                    };
                    if to_client.send(Message::Binary(bytes)).await.is_err() || last {
                        break;
                    }
                }
                _ = pings.tick() => if to_client.send(Message::Ping(Default::default())).await.is_err() { break },
            }
        }
        to_client.send(super::socket::goodbye()).await.is_ok()
    };
    let told = tokio::select! {
        () = reading => false,
        told = writing => told,
        () = shutdown.cancelled() => false,
    };
    if told {
        // A connection that is closed with input unread is reset, and what the client has not read yet is lost with it.
        let rest = async { while let Some(Ok(_)) = from_client.next().await {} };
        let _ = tokio::time::timeout(PARTING, rest).await;
    }
}
