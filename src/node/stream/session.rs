//! One stream to one master, from Hello to its end.

use super::desired::Desired;
use super::outbox::{Answered, Outbox};
use crate::promise::Standing;
use parking_lot::RwLock;
use raftsman_proto::v1::master_message::Message as FromMaster;
use raftsman_proto::v1::masters_client::MastersClient;
use raftsman_proto::v1::node_message::Message;
use raftsman_proto::v1::{Heartbeat, Hello, NodeMessage};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// From one heartbeat to the next.
pub const BEAT: Duration = Duration::from_secs(1);
/// Without an acknowledgement for so long, another master is asked.
pub const SILENCE: Duration = Duration::from_millis(2500);
const LARGEST: usize = 64 << 20;
const QUEUE: usize = 256;

/// Why a stream has ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The master refused or broke off.
    #[error("{0}")]
    Status(String),
    /// The master ended it in good order.
    #[error("the master closed the stream")]
    Closed,
    /// The promise had ended and was given anew: first the masters tell everything.
    #[error("the node's renewals were broken for a while")]
    Broken,
    /// No acknowledgement came.
    #[error("no heartbeat was acknowledged for {SILENCE:?}")]
    Silent,
}

/// Who speaks.
pub struct Speaker<'a> {
    /// The cluster's id.
    pub cluster_id: &'a str,
    /// The node's name.
    pub node: &'a str,
    /// What is to be said.
    pub outbox: &'a Outbox,
    /// The row of renewals under which the node stands.
    pub standing: watch::Receiver<Standing>,
    /// Masters as far as they are known, for the renewals.
    pub known: &'a RwLock<Vec<String>>,
}

/// Speaks with one master until the stream ends. `welcomed` is set once it has let us in.
pub async fn session(speaker: &Speaker<'_>, channel: Channel, desired: &mut Desired, welcomed: &mut bool) -> Ended {
    let mut standing = speaker.standing.clone();
    // What the masters tell from here on, they knew after this row had begun.
    let row = standing.borrow_and_update().epoch;
    let (sender, receiver) = mpsc::channel::<NodeMessage>(QUEUE);
    let send = |message: Message| sender.try_send(NodeMessage { message: Some(message) }).is_ok();
    let position = desired.position();
    let (revision, epoch) = (position.revision, position.epoch);
    let hello = Hello { cluster_id: speaker.cluster_id.to_owned(), node: speaker.node.to_owned(), revision, epoch };
    let mut sequence = 1;
    send(Message::Hello(hello));
    send(Message::Heartbeat(Heartbeat { sequence }));
    let mut client = MastersClient::new(channel).max_decoding_message_size(LARGEST);
    let call = timeout(SILENCE, client.connect(ReceiverStream::new(receiver))).await;
    let mut inbound = match call {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => return Ended::Status(text(&status)),
        Err(_) => return Ended::Silent,
    };
    let mut acknowledged = Instant::now();
    let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = inbound.message() => match message {
                Ok(Some(message)) => {
                    // Whatever comes, it comes from a master that serves.
                    acknowledged = Instant::now();
                    let Some(message) = message.message else { continue };
                    match message {
                        FromMaster::Welcome(welcome) => {
                            *welcomed = true;
                            desired.connected(&welcome, row);
                            speaker.outbox.reconnected();
                        }
                        FromMaster::Masters(list) => {
                            speaker.known.write().clone_from(&list.masters);
                            desired.masters(list.masters);
                        }
                        FromMaster::HeartbeatAck(_) => {}
                        FromMaster::Put(put) => desired.put(put),
                        FromMaster::Delete(delete) => desired.delete(delete),
                        FromMaster::Synced(synced) => desired.synced(&synced),
                        FromMaster::Answer(answer) => {
                            let now = Instant::now();
                            let about = speaker.outbox.answered(answer.sequence, &answer.error, answer.gone, now);
                            match about {
                                Some(about) if about.gone => desired.gone(about.uid),
                                Some(Answered { uid, word: Some(word), .. }) => desired.word(uid, word),
                                Some(Answered { uid, error: Some(error), .. }) => {
                                    tracing::warn!(uid, error, "a master could not take a report; it is sent again");
                                }
                                _ => {}
                            }
                        }
                    }
                }
                Ok(None) => return Ended::Closed,
                Err(status) => return Ended::Status(text(&status)),
            },
            Ok(()) = standing.changed() => return Ended::Broken,
            _ = beat.tick() => {
                if acknowledged.elapsed() > SILENCE {
                    return Ended::Silent;
                }
                sequence += 1;
                send(Message::Heartbeat(Heartbeat { sequence }));
                desired.keep_position();
                if *welcomed {
                    speaker.outbox.flush(Instant::now(), |message| sender.try_send(message).is_ok());
                }
            }
            () = speaker.outbox.news(), if *welcomed => {
                speaker.outbox.flush(Instant::now(), |message| sender.try_send(message).is_ok());
            }
        }
    }
}

fn text(status: &tonic::Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
