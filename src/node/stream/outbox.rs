//! What the agent has to say, kept until a master has answered.

use bytes::Bytes;
use parking_lot::Mutex;
use raftsman_proto::v1::node_message::Message;
use raftsman_proto::v1::{EventReport, NodeMessage, NodeReport, PodAdmission, PodGone, PodReport};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

const RESEND: Duration = Duration::from_secs(10);
const AFTER_ERROR: Duration = Duration::from_secs(1);
const MOST_EVENTS: usize = 512;

/// Status first, then the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Status,
    Admission,
    Gone,
}

#[derive(Debug)]
struct Pending {
    sequence: u64,
    message: Message,
    /// Not before; `None`: not sent on this stream.
    again: Option<Instant>,
}

#[derive(Default)]
struct Inner {
    sequence: u64,
    pending: BTreeMap<(String, Subject), Pending>,
    node: Option<Bytes>,
    node_sent: bool,
    events: VecDeque<EventReport>,
}

/// Reports on their way, the newest of each kind for each pod.
#[derive(Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
    news: Notify,
}

/// What an answer was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The pod's uid.
    pub uid: String,
    /// The masters no longer have the pod.
    pub gone: bool,
    /// A leader's word was given, in answer to these words.
    pub word: Option<String>,
    /// What went wrong; it will be sent again.
    pub error: Option<String>,
}

impl Outbox {
    /// A pod's status.
    pub fn report(&self, report: PodReport) {
        let uid = report.uid.clone();
        self.put(uid, Subject::Status, |sequence| Message::Pod(PodReport { sequence, ..report }));
    }

    /// A leader's word is asked for.
    pub fn admission(&self, admission: PodAdmission) {
        let uid = admission.uid.clone();
        self.put(uid, Subject::Admission, |sequence| Message::Admission(PodAdmission { sequence, ..admission }));
    }

    /// A pod has ended and nothing of it is left.
    pub fn gone(&self, gone: PodGone) {
        let uid = gone.uid.clone();
        self.put(uid, Subject::Gone, |sequence| Message::Gone(PodGone { sequence, ..gone }));
    }

    fn put(&self, uid: String, subject: Subject, make: impl FnOnce(u64) -> Message) {
        let mut inner = self.inner.lock();
        inner.sequence += 1;
        let sequence = inner.sequence;
        let pending = Pending { sequence, message: make(sequence), again: None };
        inner.pending.insert((uid, subject), pending);
        self.news.notify_one();
    }

    /// The node's own object.
    pub fn node(&self, json: Bytes) {
        let mut inner = self.inner.lock();
        if inner.node.as_ref() != Some(&json) {
            inner.node = Some(json);
            inner.node_sent = false;
            self.news.notify_one();
        }
    }

    /// The node's own object once more: the masters do not have it as it was said.
    pub fn node_again(&self) {
        self.inner.lock().node_sent = false;
        self.news.notify_one();
    }

    /// An Event. The oldest go when no master listens for long.
    pub fn event(&self, event: EventReport) {
        let mut inner = self.inner.lock();
        if inner.events.len() >= MOST_EVENTS {
            inner.events.pop_front();
        }
        inner.events.push_back(event);
        self.news.notify_one();
    }

    /// This pod has a status that no master has acknowledged.
    pub fn is_pending(&self, uid: &str) -> bool {
        self.inner.lock().pending.contains_key(&(uid.to_owned(), Subject::Status))
    }

    /// There is something new to send.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// A new stream: nothing was sent on it yet.
    pub fn reconnected(&self) {
        let mut inner = self.inner.lock();
        inner.node_sent = false;
        inner.pending.values_mut().for_each(|pending| pending.again = None);
        self.news.notify_one();
    }

    /// Gives what is due to `send`, until that is full (false).
    pub fn flush(&self, now: Instant, mut send: impl FnMut(NodeMessage) -> bool) {
        let mut inner = self.inner.lock();
        let wrap = |message: Message| NodeMessage { message: Some(message) };
        if !inner.node_sent
            && let Some(json) = inner.node.clone()
        {
            if !send(wrap(Message::Node(NodeReport { json }))) {
                return;
            }
            inner.node_sent = true;
        }
        let mut due: Vec<&mut Pending> =
            inner.pending.values_mut().filter(|pending| pending.again.is_none_or(|again| again <= now)).collect();
        due.sort_by_key(|pending| pending.sequence);
        for pending in due {
            if !send(wrap(pending.message.clone())) {
                return;
            }
            pending.again = Some(now + RESEND);
        }
        while let Some(event) = inner.events.pop_front() {
            if !send(wrap(Message::Event(event.clone()))) {
                inner.events.push_front(event);
                return;
            }
        }
    }

    /// A master's answer. `None`: it is about something that was replaced since.
    pub fn answered(&self, sequence: u64, error: &str, gone: bool, now: Instant) -> Option<Answered> {
        let mut inner = self.inner.lock();
        let key = inner.pending.iter().find(|(_, pending)| pending.sequence == sequence).map(|(key, _)| key.clone())?;
        let uid = key.0.clone();
        if gone || (error.is_empty() && key.1 == Subject::Gone) {
            inner.pending.remove(&(uid.clone(), Subject::Status));
            inner.pending.remove(&(uid.clone(), Subject::Admission));
            inner.pending.remove(&(uid.clone(), Subject::Gone));
            return Some(Answered { uid, gone: true, word: None, error: None });
        }
        if error.is_empty() {
            let word = match inner.pending.remove(&key).map(|pending| pending.message) {
                Some(Message::Admission(admission)) => Some(admission.promise),
                _ => None,
            };
            return Some(Answered { uid, gone: false, word, error: None });
        }
        if let Some(pending) = inner.pending.get_mut(&key) {
            pending.again = Some(now + AFTER_ERROR);
        }
        Some(Answered { uid, gone: false, word: None, error: Some(error.to_owned()) })
    }
}
