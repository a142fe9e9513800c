//! Proposals on their way to the leader: those that wait at the same time share one request.

use crate::member::admission::Admitted;
use crate::member::{Core, Seen};
use crate::peers::PeerError;
use crate::rt;
use bytes::Bytes;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Requests under way at once. While they are, others gather.
const UNDER_WAY: usize = 4;

/// Proposals in one request.
const COUNT: usize = 512;

/// Bytes in one request, but for its first proposal.
const BYTES: usize = 1 << 20;

/// How long one leader is given before it is asked again.
pub(super) const ATTEMPT: Duration = Duration::from_secs(4);

/// What became of one attempt to have something written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt<T> {
    /// Applied, with this outcome (encoded or not), at this log index.
    Done(T, u64),
    /// Certainly not in any log.
    NotTaken(String),
    /// Certainly not in any log: the leader's queue is full.
    Full(String),
    /// Perhaps in a log.
    Lost(String),
}

/// One proposal for the leader.
struct Waiting {
    leader: u64,
    txn: Bytes,
    answer: oneshot::Sender<Attempt<Bytes>>,
    /// Held as long as the bytes are, also when nobody waits for the answer any more.
    room: Arc<Admitted>,
}

/// Where proposals queue.
pub(crate) struct Forwarding(mpsc::UnboundedSender<Waiting>);

/// The other end of a [`Forwarding`].
pub(crate) struct ForwardQueue(mpsc::UnboundedReceiver<Waiting>);

impl Forwarding {
    /// Not bounded by itself: each proposal in it holds the room that it was given ([`Core::propose`]).
    pub(crate) fn new() -> (Self, ForwardQueue) {
        let (sender, queue) = mpsc::unbounded_channel();
        (Self(sender), ForwardQueue(queue))
    }

    /// Sends a proposal to another member, which is thought to lead.
    pub(crate) async fn forward(&self, leader: u64, txn: Bytes, room: Arc<Admitted>) -> Attempt<Bytes> {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Waiting { leader, txn, answer, room }).is_err() {
            return Attempt::NotTaken("this member is stopping".into());
        }
        answered.await.unwrap_or_else(|_| Attempt::Lost("this member is stopping".into()))
    }
}

/// Sends what queues until the store is gone.
pub(crate) async fn serve_forwarding(core: Weak<Core>, mut queue: ForwardQueue) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    let mut rest = Vec::new();
    while queue.0.recv_many(&mut rest, COUNT).await > 0 {
        while !rest.is_empty() {
            let Ok(permit) = under_way.clone().acquire_owned().await else { return };
            let Some(core) = core.upgrade() else { return };
            // Who waited for it may be gone by now.
            rest.retain(|waiting| !waiting.answer.is_closed());
            let later = rest.split_off(first_request(&rest));
            let request = std::mem::replace(&mut rest, later);
            if request.is_empty() {
                break;
            }
            rt::spawn(async move {
                core.send(request).await;
                drop(permit);
            });
        }
    }
}

/// How many of these go into the next request: to one leader, within the bounds, at least one.
fn first_request(waiting: &[Waiting]) -> usize {
    let leader = waiting.first().map(|first| first.leader);
    let mut bytes = 0;
    let fitting = waiting.iter().take_while(|next| {
        let fits = Some(next.leader) == leader && bytes <= BYTES;
        bytes += next.txn.len();
        fits
    });
    fitting.count()
}

impl Core {
    async fn send(&self, request: Vec<Waiting>) {
        let Some(leader) = request.first().map(|first| first.leader) else { return };
        let mut txns = Vec::with_capacity(request.len());
        let mut answers = Vec::with_capacity(request.len());
        let mut rooms = Vec::with_capacity(request.len());
        for Waiting { txn, answer, room, .. } in request {
            txns.push(txn);
            answers.push(answer);
            rooms.push(room);
        }
        let (mut attempts, error) = self.ask_leader(leader, txns).await;
        // One answer too few is one whose outcome is not known.
        attempts.resize_with(answers.len(), || Attempt::Lost("the leader gave no answer to it".into()));
        drop(rooms);
        for (answer, attempt) in answers.into_iter().zip(attempts) {
            let _ = answer.send(attempt);
        }
        // After the answers: whoever hears that this member was removed asks no further.
        if let Some(error) = error {
            self.notice(&error);
        }
    }

    async fn ask_leader(&self, leader: u64, txns: Vec<Bytes>) -> (Vec<Attempt<Bytes>>, Option<PeerError>) {
        let count = txns.len();
        let all = |attempt: Attempt<Bytes>| (vec![attempt; count], None);
        let mut seen = self.seen.subscribe();
        let now = seen.borrow_and_update().clone();
        if now.leader != Some(leader) {
            return all(Attempt::NotTaken(format!("leader {leader} leads no more")));
        }
        let Some(node) = now.members.get_node(&leader) else {
            return all(Attempt::NotTaken(format!("leader {leader} is not a known member")));
        };
        let peer = match self.transport.peer(leader, node) {
            Ok(peer) => peer,
            Err(error) => return all(Attempt::NotTaken(error.to_string())),
        };
        // Whoever waits asks the next leader then; this one must not keep the way busy.
        let other = |later: &Seen| later.leader != now.leader || later.term != now.term;
        let proposed = tokio::select! {
            biased;
            proposed = peer.propose(txns, ATTEMPT) => proposed,
            _ = seen.wait_for(other) => {
                return all(Attempt::Lost("the leader changed".into()));
            }
        };
        let proposed = match proposed {
            Ok(proposed) => proposed,
            Err(error) => {
                let attempt = match &error {
                    PeerError::Removed(why) => Attempt::NotTaken(why.clone()),
                    error => Attempt::Lost(format!("{}: {error}", node.name)),
                };
                return (vec![attempt; count], Some(error));
            }
        };
        let attempt = |one: raftsman_proto::v1::Proposed| {
            if one.overloaded {
                Attempt::Full(format!("writes wait for the leader, {}", node.name))
            } else if !one.error.is_empty() {
                Attempt::Lost(format!("{}: {}", node.name, one.error))
            } else if one.outcome.is_empty() {
                Attempt::NotTaken(format!("{} leads no more", node.name))
            } else {
                Attempt::Done(one.outcome, one.index)
            }
        };
        (proposed.into_iter().map(attempt).collect(), None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::member::Admission;
    use futures::FutureExt;

    #[test]
    fn a_request_goes_to_one_leader_and_is_bounded() {
        let admission = Admission::new(100, 100 * BYTES);
        let waiting = |leader: u64, bytes: usize| Waiting {
            leader,
            txn: Bytes::from(vec![0; bytes]),
            answer: oneshot::channel().0,
            room: Arc::new(admission.admit([bytes]).unwrap()),
        };
        assert_eq!(first_request(&[]), 0);
        assert_eq!(first_request(&[waiting(1, 10), waiting(1, 10), waiting(2, 10), waiting(1, 10)]), 2);
        assert_eq!(first_request(&[waiting(1, 3 * BYTES), waiting(1, 10)]), 1);
        assert_eq!(first_request(&[waiting(1, BYTES), waiting(1, 10), waiting(1, 10)]), 2);
    }

    #[test]
    fn what_queues_holds_its_room_although_nobody_waits_for_it() {
        let admission = Admission::new(2, 100);
        let (forwarding, mut queue) = Forwarding::new();
        {
            let room = Arc::new(admission.admit([60]).unwrap());
            let forwarded = forwarding.forward(1, Bytes::from(vec![0; 60]), room);
            assert!(forwarded.now_or_never().is_none(), "nothing serves the queue");
        }
        assert_eq!(admission.room(), (1, 40));
        drop(queue.0.try_recv());
        assert_eq!(admission.room(), (2, 100));
    }
}
