//! One node's stream: two directions that never wait for each other.

use crate::nodes::feed::Feed;
use crate::nodes::lanes::Lanes;
use crate::nodes::{NodeStreams, Reports};
use raftsman_proto::v1::master_message::Message as Down;
use raftsman_proto::v1::node_message::Message as Up;
use raftsman_proto::v1::{HeartbeatAck, MasterList, MasterMessage, NodeMessage, Welcome};
use raftsman_state::View;
use raftsman_store::border::{Members, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tonic::{Status, Streaming};

/// Reports of one node that are carried out at once; more wait, without holding up its heartbeats.
const REPORTS_AT_ONCE: usize = 64;
/// When so much waits, the stream waits too.
const MOST_WAITING: usize = 2048;
/// A heartbeat that the leader has not seen within this is not acknowledged.
pub const ACK_WITHIN: Duration = Duration::from_millis(1500);

type Out = mpsc::Sender<Result<MasterMessage, Status>>;

/// Serves one node until either side ends.
pub async fn run(
    streams: Arc<NodeStreams>,
    node: String,
    inbound: Streaming<NodeMessage>,
    out: Out,
    reports: Reports,
    view: View,
) {
    tracing::info!(node, revision = view.revision(), "node connected");
    let ended = tokio::select! {
        () = streams.shutdown.cancelled() => Status::unavailable("this master is stopping"),
        status = down(&**streams.api.store(), streams.masters.clone(), &node, &out, view) => status,
        status = up(&streams, &node, inbound, &out, &reports) => status,
    };
    tracing::info!(node, reason = ended.message(), "node disconnected");
    let _ = out.try_send(Err(ended));
}

/// Desired state: everything, then each change.
async fn down(
    store: &dyn Store,
    mut masters: watch::Receiver<Arc<Members>>,
    node: &str,
    out: &Out,
    view: View,
) -> Status {
    let closed = || Status::cancelled("the node closed the stream");
    let mut revisions = store.revisions();
    // What changed between the view and here counts as news.
    revisions.mark_changed();
    let mut health = store.health();
    let addresses = |members: &Members| members.all.iter().map(|member| member.address.clone()).collect();
    let known = addresses(&masters.borrow_and_update());
    let welcome = Down::Welcome(Welcome { epoch: view.epoch(), masters: known });
    if !send(out, MasterMessage { message: Some(welcome) }).await {
        return closed();
    }
    let mut feed = Feed::new(node);
    let mut messages = feed.full(&view);
    drop(view);
    loop {
        for message in messages {
            if !send(out, message).await {
                return closed();
            }
        }
        tokio::select! {
            Ok(()) = masters.changed() => {
                let list = MasterList { masters: addresses(&masters.borrow_and_update()) };
                messages = vec![MasterMessage { message: Some(Down::Masters(list)) }];
                continue;
            }
            changed = revisions.changed() => if changed.is_err() { return Status::unavailable("this master is stopping") },
            unready = health.wait_for(|health| !health.ready) => {
                return Status::unavailable(unready.map_or_else(|_| "stopping".to_owned(), |health| health.reason.clone()));
            }
        }
        messages = match feed.step(&store.view()) {
            Ok(messages) => messages,
            Err(compacted) => return Status::aborted(format!("connect again: {compacted}")),
        };
    }
}

/// Reports and signs of life.
async fn up(
    streams: &Arc<NodeStreams>,
    node: &str,
    mut inbound: Streaming<NodeMessage>,
    out: &Out,
    reports: &Reports,
) -> Status {
    let permits = Arc::new(Semaphore::new(REPORTS_AT_ONCE));
    let lanes = Arc::new(Lanes::default());
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        while tasks.len() >= MOST_WAITING {
            tasks.join_next().await;
        }
        let message = match inbound.message().await {
            Ok(Some(NodeMessage { message: Some(message) })) => message,
            Ok(Some(NodeMessage { message: None })) => continue, // A newer agent's message.
            Ok(None) => return Status::cancelled("the node closed the stream"),
            Err(status) => return status,
        };
        if let Up::Heartbeat(heartbeat) = message {
            let (relay, node, out) = (streams.relay.clone(), node.to_owned(), out.clone());
            tasks.spawn(async move {
                let seen = tokio::time::timeout(ACK_WITHIN, relay.seen(&node)).await;
                if matches!(seen, Ok(Some(_))) {
                    let ack = Down::HeartbeatAck(HeartbeatAck { sequence: heartbeat.sequence });
                    send(&out, MasterMessage { message: Some(ack) }).await;
                }
            });
            continue;
        }
        let lane = Lanes::of(&message);
        let first = match &lane {
            Some(lane) => lanes.enter(lane, message),
            None => Some(message),
        };
        let (lanes, permits) = (lanes.clone(), permits.clone());
        let (relay, node, reports, out) = (streams.relay.clone(), node.to_owned(), reports.clone(), out.clone());
        let Some(mut message) = first else { continue };
        tasks.spawn(async move {
            loop {
                if matches!(message, Up::Node(_)) {
                    // A report is a sign of life: it must not be judged by an older one.
                    let _ = tokio::time::timeout(ACK_WITHIN, relay.seen(&node)).await;
                }
                let Ok(permit) = permits.acquire().await else { return };
                report(reports.clone(), message, &out).await;
                drop(permit);
                match lane.as_deref().and_then(|lane| lanes.next(lane)) {
                    Some(next) => message = next,
                    None => return,
                }
            }
        });
    }
}

async fn report(reports: Reports, message: Up, out: &Out) {
    let answer = match message {
        Up::Pod(report) => reports.pod(report).await,
        Up::Gone(report) => reports.gone(report).await,
        Up::Admission(admission) => reports.admit(admission).await,
        Up::Event(report) => return reports.event(report).await,
        Up::Node(report) => match reports.node(&report).await {
            Ok(()) => return,
            Err(status) => return tracing::warn!(%status, "a node's report was refused"),
        },
        Up::Hello(_) | Up::Heartbeat(_) => return,
    };
    if answer.sequence != 0 {
        send(out, MasterMessage { message: Some(Down::Answer(answer)) }).await;
    }
}

async fn send(out: &Out, message: MasterMessage) -> bool {
    out.send(Ok(message)).await.is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use raftsman_state::{Body, Key, Meta, Op, Resource, Txn};
    use raftsman_store::border::MemberAt;
    use raftsman_store::memory::MemoryStore;

    #[tokio::test]
    async fn what_changes_between_the_first_view_and_the_stream_is_sent() {
        let store = Arc::new(MemoryStore::default());
        let view = store.view();
        let key = Key::new(&Resource::from("services"), "x", "s");
        let op = Op::Put { key, meta: Arc::new(Meta::default()), body: Body::plain("{}") };
        store.propose(Txn { ops: vec![op], ..Txn::default() }).await.unwrap();
        let (out, mut sent) = mpsc::channel(64);
        let stream = tokio::spawn(async move {
            let members = watch::Sender::new(Arc::default());
            down(&*store, members.subscribe(), "n1", &out, view).await
        });
        loop {
            let message = tokio::time::timeout(Duration::from_secs(5), sent.recv()).await.unwrap().unwrap().unwrap();
            if let Some(Down::Put(put)) = message.message {
                assert_eq!(put.name, "s");
                break;
            }
        }
        drop(sent);
        stream.abort();
    }

    #[tokio::test]
    async fn a_node_is_told_of_other_masters() {
        let store = Arc::new(MemoryStore::default());
        let member =
            |id: u64| MemberAt { id, name: format!("m{id}"), address: format!("10.0.0.{id}:6444"), voter: true };
        let members = watch::Sender::new(Arc::new(Members { all: vec![member(1)] }));
        let (out, mut sent) = mpsc::channel(64);
        let view = store.view();
        let told = members.subscribe();
        let stream = tokio::spawn(async move { down(&*store, told, "n1", &out, view).await });
        let mut next = async || match sent.recv().await.unwrap().unwrap().message {
            Some(Down::Welcome(welcome)) => Some(welcome.masters),
            Some(Down::Masters(list)) => Some(list.masters),
            _ => None,
        };
        assert_eq!(next().await.unwrap(), ["10.0.0.1:6444"]);
        members.send_replace(Arc::new(Members { all: vec![member(1), member(4)] }));
        loop {
            if let Some(masters) = next().await {
                assert_eq!(masters, ["10.0.0.1:6444", "10.0.0.4:6444"]);
                break;
            }
        }
        stream.abort();
    }
}
