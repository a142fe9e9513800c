//! Each invariant is given records that break it and no other.

#![allow(clippy::panic)]

use super::*;
use std::time::Duration;

fn at(ms: u64, seen: Seen) -> Event {
    Event { at: Duration::from_millis(ms), seen }
}

fn change(member: u64, revision: u64, key: &str, value: u64) -> Event {
    at(revision, Seen::Change { member, revision, key: key.into(), value: Some(value) })
}

fn operation(invoked: u64, returned: u64, key: &str, action: Action) -> Event {
    let (invoked, returned) = (Duration::from_millis(invoked), Some(Duration::from_millis(returned)));
    at(0, Seen::Operation(Operation { client: 1, member: 1, key: key.into(), invoked, returned, action }))
}

fn put(value: u64, revision: u64) -> Action {
    Action::Put { value, revision: Known::Yes(revision) }
}

fn good() -> Vec<Event> {
    vec![
        at(0, Seen::Leading { member: 1, term: 1 }),
        at(0, Seen::Leading { member: 2, term: 2 }),
        at(0, Seen::Entry { member: 1, index: 0, term: 1, digest: 7 }),
        at(0, Seen::Entry { member: 2, index: 0, term: 1, digest: 7 }),
        change(1, 1, "a", 10),
        change(1, 2, "b", 11),
        change(2, 2, "b", 11),
        change(1, 3, "a", 12),
        at(9, Seen::View { member: 1, revision: 2, content: [("a".to_owned(), 10), ("b".to_owned(), 11)].into() }),
        at(9, Seen::Watching { watcher: 1, after: 1 }),
        at(9, Seen::Watched { watcher: 1, member: 2, revision: 2, key: "b".into(), value: Some(11) }),
        operation(0, 1, "a", put(10, 1)),
        operation(2, 3, "a", put(12, 3)),
        operation(4, 5, "a", Action::Read { found: Some(12) }),
    ]
}

#[test]
fn a_good_record_breaks_nothing() {
    assert_eq!(violations(&good()), []);
}

#[test]
fn each_invariant_finds_what_breaks_it() {
    let bad: [(&str, Event); 9] = [
        ("one leader per term", at(0, Seen::Leading { member: 3, term: 2 })),
        (
            "committed log entries are the same everywhere",
            at(0, Seen::Entry { member: 3, index: 0, term: 1, digest: 8 }),
        ),
        ("revisions are dense and equal on all members", change(2, 5, "c", 40)),
        ("no acknowledged write is lost", operation(6, 7, "b", put(50, 4))),
        ("no write is applied twice", change(1, 4, "c", 10)),
        (
            "a view is what the changes up to its revision make",
            at(9, Seen::View { member: 2, revision: 3, content: [("a".to_owned(), 10)].into() }),
        ),
        (
            "watchers see every change once and in order",
            at(9, Seen::Watched { watcher: 1, member: 1, revision: 2, key: "b".into(), value: Some(11) }),
        ),
        (
            "watchers see every change once and in order",
            at(9, Seen::Watched { watcher: 1, member: 1, revision: 3, key: "a".into(), value: Some(99) }),
        ),
        ("operations on a key are linearizable", operation(6, 7, "a", Action::Read { found: Some(10) })),
    ];
    for (name, event) in bad {
        let mut events = good();
        events.push(event.clone());
        let found: Vec<&str> = violations(&events).iter().map(|violation| violation.invariant).collect();
        assert_eq!(found, [name], "{event}");
    }
}
