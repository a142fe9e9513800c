//! Each verdict is given records that break it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::invariants::{Action, Event, Known, Operation, Seen};
use crate::record::*;
use std::time::Duration;

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn event(seen: Seen) -> Event {
    Event { at: Duration::ZERO, seen }
}

fn change(revision: u64, key: &str, value: u64) -> [Event; 4] {
    let seen = |watcher| Seen::Watched { watcher, member: 1, revision, key: key.to_owned(), value: Some(value) };
    let change = Seen::Change { member: 1, revision, key: key.to_owned(), value: Some(value) };
    [event(change), event(seen(0)), event(seen(1)), event(seen(2))]
}

fn put(at: f64, value: u64, revision: u64) -> Event {
    let action = Action::Put { value, revision: Known::Yes(revision) };
    operation(at, action)
}

fn operation(at: f64, action: Action) -> Event {
    let (invoked, returned) = (s(at), Some(s(at + 0.1)));
    event(Seen::Operation(Operation { client: 1, member: 1, key: "r-0".to_owned(), invoked, returned, action }))
}

fn line(at: f64, life: &str) -> Line {
    Line { at: s(at), node: "n1".to_owned(), life: life.to_owned(), word: String::new() }
}

fn job() -> JobEnd {
    JobEnd {
        name: "job-1".to_owned(),
        completions: 2,
        complete: true,
        succeeded: 2,
        indexes: "0-1".to_owned(),
        uncounted: false,
        ran: [0, 1].into(),
    }
}

fn pod(at: f64, name: &str, ready: bool) -> PodChange {
    PodChange {
        at: s(at),
        revision: 1,
        name: name.to_owned(),
        app: "scaled".to_owned(),
        node: "n1".to_owned(),
        gone: false,
        deleting: false,
        ready,
        ended: false,
    }
}

fn taken(at: f64, name: &str) -> PodChange {
    PodChange { deleting: true, ..pod(at, name, true) }
}

fn request(stream: Stream, at: f64, error: Option<&str>) -> Request {
    let through = "m1".to_owned();
    Request { stream, through, at: s(at), took: s(0.1), error: error.map(str::to_owned) }
}

fn good() -> Record {
    let watching = |watcher| event(Seen::Watching { watcher, after: 40 });
    let mut events: Vec<Event> =
        vec![event(Seen::Leading { member: 1, term: 1 }), watching(0), watching(1), watching(2)];
    // Revisions of a whole cluster, of which these are some.
    events.extend(change(45, "r-0", 10));
    events.extend(change(52, "r-0", 11));
    events.extend([put(0.0, 10, 45), put(1.0, 11, 52), operation(2.0, Action::Read { found: Some(11) })]);
    events.push(event(Seen::View { member: 1, revision: 60, content: [("r-0".to_owned(), 11)].into() }));
    let target = Target { at: s(0.0), replicas: 2, rollout: false, reached: Some(s(0.0)) };
    let rollout = Target { at: s(20.0), replicas: 2, rollout: true, reached: Some(s(30.0)) };
    Record {
        events,
        requests: Stream::ALL.map(|stream| request(stream, 1.0, None)).into(),
        diaries: [("member-0".to_owned(), vec![line(1.0, "a"), line(2.0, "a"), line(3.0, "b"), line(4.0, "b")])].into(),
        jobs: vec![job()],
        pods: vec![pod(0.0, "a", true), pod(0.0, "b", true), pod(21.0, "c", false), pod(22.0, "c", true)],
        targets: vec![target, rollout],
        service: vec![Service { what: "nodes".to_owned(), after: Some(s(3.0)), last: String::new() }],
        healed: Some(s(40.0)),
        masters: 3,
        ..Record::default()
    }
}

fn broken(record: &Record) -> Vec<String> {
    judge(record).into_iter().filter(|one| one.outcome.is_err()).map(|one| one.name).collect()
}

#[test]
fn a_good_record_breaks_nothing() {
    assert_eq!(broken(&good()), Vec::<String>::new(), "{:?}", judge(&good()));
}

#[test]
fn each_verdict_finds_what_breaks_it() {
    type Break = fn(&mut Record);
    let cases: [(&str, Break); 15] = [
        ("one leader per term", |r| r.events.push(event(Seen::Leading { member: 2, term: 1 }))),
        ("operations on a key are linearizable", |r| {
            r.events.push(operation(3.0, Action::Read { found: Some(10) }));
        }),
        ("no acknowledged write is lost", |r| {
            // Of another register, so that the order of this one is not broken, too.
            let mut lost = put(3.0, 12, 57);
            if let Seen::Operation(operation) = &mut lost.seen {
                operation.key = "r-9".to_owned();
            }
            r.events.push(lost);
        }),
        ("every watcher has heard of the last change", |r| {
            let last = r.events.iter().rposition(|e| matches!(e.seen, Seen::Watched { watcher: 2, .. })).unwrap();
            r.events.remove(last);
        }),
        ("a view is what the changes up to its revision make", |r| {
            r.events.push(event(Seen::View { member: 2, revision: 60, content: [("r-0".to_owned(), 10)].into() }));
        }),
        ("no two pods of one name run at once", |r| {
            r.diaries.get_mut("member-0").unwrap().push(line(3.5, "a"));
        }),
        ("jobs count every run once and lose none", |r| r.jobs[0].succeeded = 3),
        ("jobs count every run once and lose none", |r| r.jobs[0].ran.clear()),
        ("jobs count every run once and lose none", |r| r.jobs[0].complete = false),
        ("a deployment never has too many pods, and loses none that it needs", |r| r.pods.push(pod(23.0, "d", true))),
        ("a deployment never has too many pods, and loses none that it needs", |r| {
            r.pods.extend([taken(24.0, "a"), taken(24.1, "b"), taken(24.2, "c")]);
        }),
        ("every failed request has a fault that excuses it", |r| {
            r.requests.push(request(Stream::Write, 5.0, Some("503")));
        }),
        ("full service within 30 s after the last fault is healed", |r| r.service[0].after = Some(s(31.0))),
        ("every workload worked", |r| r.requests.retain(|request| request.stream != Stream::Dns)),
        ("every fault was done and healed", |r| {
            r.spans.push(Span { error: Some("no such host".to_owned()), ..Span::default() });
        }),
    ];
    for (name, spoil) in cases {
        let mut record = good();
        spoil(&mut record);
        assert_eq!(broken(&record), [name], "{:?}", judge(&record));
    }
}

#[test]
fn a_missed_change_breaks_the_order_of_a_watch() {
    let mut record = good();
    let first = record.events.iter().position(|e| matches!(e.seen, Seen::Watched { watcher: 2, .. })).unwrap();
    record.events.remove(first);
    assert_eq!(broken(&record), ["watchers see every change once and in order"]);
}

#[test]
fn a_fault_on_a_node_excuses_missing_pods_and_nothing_excuses_surplus() {
    let mut record = good();
    record.pods.extend([taken(24.0, "a"), taken(24.1, "b"), taken(24.2, "c")]);
    let touch = Touch { hosts: ["n1".to_owned()].into(), api: false, pods: true, names: false };
    record.spans.push(Span { begun: s(20.0), from: s(20.0), until: Some(s(26.0)), touch, ..Span::default() });
    assert_eq!(broken(&record), Vec::<String>::new());
    record.pods.extend(["d", "e", "f", "g"].map(|name| pod(25.0, name, true)));
    assert_eq!(broken(&record), ["a deployment never has too many pods, and loses none that it needs"]);
}
