//! Reports until they are answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::Outbox;
use super::outbox::Answered;
use raftsman_proto::v1::node_message::Message;
use raftsman_proto::v1::{EventReport, PodGone, PodReport};
use std::time::Duration;
use tokio::time::Instant;

fn report(uid: &str, status: &'static str) -> PodReport {
    PodReport { uid: uid.to_owned(), status: status.into(), ..PodReport::default() }
}

/// (what, sequence) of everything that is due.
fn due(outbox: &Outbox, now: Instant) -> Vec<(String, u64)> {
    let mut sent = Vec::new();
    outbox.flush(now, |message| {
        sent.push(match message.message.unwrap() {
            Message::Pod(pod) => (format!("{} {}", pod.uid, String::from_utf8_lossy(&pod.status)), pod.sequence),
            Message::Gone(gone) => (format!("{} gone", gone.uid), gone.sequence),
            Message::Event(event) => (event.reason, 0),
            Message::Node(_) => ("node".to_owned(), 0),
            other => panic!("{other:?}"),
        });
        true
    });
    sent
}

fn words(sent: Vec<(String, u64)>) -> Vec<String> {
    sent.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn the_newest_report_of_a_pod_is_sent_once_until_it_is_due_again() {
    let (outbox, now) = (Outbox::default(), Instant::now());
    outbox.report(report("a", "1"));
    outbox.report(report("b", "1"));
    outbox.report(report("a", "2"));
    assert_eq!(words(due(&outbox, now)), ["b 1", "a 2"]);
    assert!(due(&outbox, now + Duration::from_secs(9)).is_empty());
    assert_eq!(words(due(&outbox, now + Duration::from_secs(10))), ["b 1", "a 2"]);
    outbox.reconnected();
    assert_eq!(words(due(&outbox, now + Duration::from_secs(11))), ["b 1", "a 2"]);
}

#[test]
fn answers_end_what_they_are_about() {
    let (outbox, now) = (Outbox::default(), Instant::now());
    outbox.report(report("a", "1"));
    let (_, old) = due(&outbox, now)[0].clone();
    outbox.report(report("a", "2"));
    // Too late: it was replaced.
    assert_eq!(outbox.answered(old, "", false, now), None);
    let (_, new) = due(&outbox, now)[0].clone();
    let refused = Answered { uid: "a".to_owned(), gone: false, word: None, error: Some("busy".to_owned()) };
    assert_eq!(outbox.answered(new, "busy", false, now), Some(refused));
    assert!(due(&outbox, now).is_empty());
    assert_eq!(words(due(&outbox, now + Duration::from_secs(1))), ["a 2"]);
    outbox.gone(PodGone { uid: "a".to_owned(), ..PodGone::default() });
    assert_eq!(words(due(&outbox, now + Duration::from_secs(1))), ["a gone"]);
    let gone = Answered { uid: "a".to_owned(), gone: true, word: None, error: None };
    assert_eq!(outbox.answered(new, "", true, now), Some(gone));
    assert!(!outbox.is_pending("a"));
    assert!(due(&outbox, now + Duration::from_secs(60)).is_empty());
}

#[test]
fn a_full_stream_loses_nothing() {
    let (outbox, now) = (Outbox::default(), Instant::now());
    outbox.node("{}".into());
    outbox.report(report("a", "1"));
    outbox.event(EventReport { reason: "E".to_owned(), ..EventReport::default() });
    for room in 0..3 {
        let mut left = room;
        outbox.reconnected();
        outbox.flush(now, |_| {
            let sent = left > 0;
            left -= i32::from(sent);
            sent
        });
    }
    outbox.reconnected();
    assert_eq!(words(due(&outbox, now)), ["node", "a 1", "E"]);
    outbox.node("{}".into());
    assert!(due(&outbox, now).is_empty());
    outbox.node_again();
    assert_eq!(words(due(&outbox, now)), ["node"]);
}
