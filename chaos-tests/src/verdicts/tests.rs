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

fn numbered((at, life, number): (f64, &str, u64)) -> Line {
    Line { word: number.to_string(), ..line(at, life) }
}

fn job() -> JobEnd {
    JobEnd {
        name: "job-1".to_owned(),
        completions: 2,
        indexed: true,
        complete: true,
        succeeded: 2,
        indexes: "0-1".to_owned(),
        uncounted: false,
        ran: [(0, vec![line(5.0, "run-0")]), (1, vec![line(5.0, "run-1")])].into(),
    }
}

fn pod(at: f64, name: &str, ready: bool) -> PodChange {
    PodChange {
        at: s(at),
        revision: 1,
        name: name.to_owned(),
        uid: name.to_owned(),
        app: "scaled".to_owned(),
        node: "n1".to_owned(),
        ready,
        ..PodChange::default()
    }
}

/// One of those that nobody but a fault changes.
fn web(at: f64, name: &str, node: &str) -> PodChange {
    PodChange { app: "web".to_owned(), node: node.to_owned(), ..pod(at, name, true) }
}

/// A fault on one host, alone in its time.
fn fault(kind: &str, host: &str, from: f64, until: f64) -> Span {
    let hit: std::collections::BTreeSet<String> = [host.to_owned()].into();
    let (api, pods) = (host.starts_with('m'), host.starts_with('n'));
    let touch = Touch { hosts: hit.clone(), api, pods, ..Touch::default() };
    let (begun, from, until) = (s(from), s(from), Some(s(until)));
    Span {
        kind: kind.to_owned(),
        leader: host == "m1",
        silences: ["kill", "pause", "host-loss", "unplug", "power-cut", "partition"].contains(&kind),
        begun,
        from,
        until,
        ready: until,
        touch,
        hit,
        ..Span::default()
    }
}

/// Writes acknowledged all the time through masters that were not hit, but for some seconds.
fn writes(record: &mut Record, from: f64, to: f64) {
    let all = (0..=400).map(|n| f64::from(n) / 10.0).filter(|at| !(from..to).contains(at));
    let write = |at| Request { through: "m2".to_owned(), ..request(Stream::Write, at, None) };
    record.requests.extend(all.map(write));
}

fn taken(at: f64, name: &str) -> PodChange {
    PodChange { deleting: true, ..pod(at, name, true) }
}

fn request(stream: Stream, at: f64, error: Option<&str>) -> Request {
    let through = if stream.is_api() { "m1" } else { "n1" }.to_owned();
    Request { stream, through, keeps: None, at: s(at), took: s(0.1), error: error.map(str::to_owned) }
}

fn told(revision: u64, value: u64) -> Told {
    Told::Change { revision, key: "r-0".to_owned(), value }
}

fn counted(number: u64) -> Told {
    Told::Line { life: "x".to_owned(), number }
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
        requests: Stream::ALL
            .into_iter()
            .flat_map(|stream| (0..40).map(move |n| request(stream, f64::from(n), None)))
            .collect(),
        diaries: [
            ("member-0".to_owned(), vec![line(1.0, "a"), line(2.0, "a"), line(3.0, "b"), line(4.0, "b")]),
            ("owner-0".to_owned(), [(1.0, "x", 7), (2.0, "x", 8), (3.0, "y", 10)].map(numbered).into()),
        ]
        .into(),
        jobs: vec![job(), plain_job()],
        tied: ["owner-0".to_owned()].into(),
        pods: vec![
            pod(0.0, "a", true),
            pod(0.0, "b", true),
            pod(21.0, "c", false),
            pod(22.0, "c", true),
            web(0.0, "w1", "n1"),
            web(0.0, "w2", "n2"),
        ],
        followed: vec![
            Followed { what: "get -w".to_owned(), told: vec![told(45, 10), told(52, 11)], ..Followed::default() },
            Followed {
                what: "logs -f".to_owned(),
                host: "n1".to_owned(),
                told: vec![counted(4), counted(5)],
                ended: None,
            },
        ],
        targets: vec![target, rollout],
        service: vec![Service { what: "nodes".to_owned(), after: Some(s(3.0)), last: String::new() }],
        healed: Some(s(40.0)),
        masters: 3,
        ..Record::default()
    }
}

/// A Job whose runs have no indexes.
fn plain_job() -> JobEnd {
    let ran = [(0, vec![line(5.0, "run-0"), line(5.1, "run-1")])].into();
    JobEnd { name: "job-2".to_owned(), indexed: false, indexes: String::new(), ran, ..job() }
}

/// Of what was asked for when a leader was hit.
fn beat(at: f64, name: &str, deleting: bool) -> PodChange {
    PodChange { app: "beat-0".to_owned(), deleting, ..pod(at, name, true) }
}

/// A leader is hit, and at a moment a request by virtual address fails; whatever else is promised then is kept.
fn vip(record: &mut Record, hit: Span, at: f64) {
    lead(record, hit);
    record.requests.push(Request { through: String::new(), ..request(Stream::Vip, at, Some("refused")) });
}

/// A leader is hit; writes and a new pod wait for a moment only.
fn lead(record: &mut Record, hit: Span) {
    let from = hit.from.as_secs_f64();
    record.spans.push(hit);
    record.beats.push(Beat {
        fault: 0,
        at: s(from + 0.1),
        acknowledged: Some(s(from + 0.4)),
        bound: Some(s(from + 0.6)),
    });
    writes(record, from, from + 0.4);
}

/// A leader is killed, and a client loses so many requests on the connection that it keeps, another one a request.
fn lost(record: &mut Record, through: &str, stream: Stream, times: u32) {
    lead(record, fault("kill", "m1", 10.0, 14.0));
    for (client, times) in [(3, times), (4, 1)] {
        let one = |n: u32| Request {
            through: through.to_owned(),
            keeps: Some(client),
            ..request(stream, 10.1 + f64::from(n) / 5.0, Some("reset"))
        };
        record.requests.extend((0..times).map(one));
    }
}

const KEPT: &str = "a volume keeps what its member has written";
const ONCE: &str = "a pod that is asked for when a leader is hit is made once";
const ADDRESS: &str =
    "the virtual address answers 1 s after a leader that is gone, 4 s after one that is stopped or cut off";
const CONNECTIONS: &str = "a leader that is hit alone costs one request on each connection at most";
const JOBS: &str = "jobs count every run once, lose none and double none";
const UNDISTURBED: &str = "nothing is restarted or moved without a fault that excuses it";
const FOLLOWED: &str = "get -w and logs -f of our CLI go on, and tell everything once and in order";

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
    let cases: [(&str, Break); 43] = [
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
        (JOBS, |r| r.jobs[0].succeeded = 3),
        (JOBS, |r| r.jobs[0].ran.clear()),
        (JOBS, |r| r.jobs[0].complete = false),
        ("a deployment never has too many pods, and loses none that it needs", |r| r.pods.push(pod(23.0, "d", true))),
        ("a deployment never has too many pods, and loses none that it needs", |r| {
            r.pods.extend([taken(24.0, "a"), taken(24.1, "b"), taken(24.2, "c")]);
        }),
        ("every failed request has a fault that excuses it", |r| {
            r.requests.push(request(Stream::Write, 5.0, Some("503")));
        }),
        ("full service within 30 s after the last fault is healed", |r| r.service[0].after = Some(s(31.0))),
        (JOBS, |r| r.jobs[0].ran.entry(0).or_default().push(line(6.0, "once more"))),
        (JOBS, |r| r.jobs.push(JobEnd { ran: [(0, vec![line(5.0, "x")])].into(), ..plain_job() })),
        (JOBS, |r| r.jobs.push(JobEnd { indexes: "0-1".to_owned(), ..plain_job() })),
        (JOBS, |r| {
            let mut job = plain_job();
            job.ran.entry(0).or_default().push(line(6.0, "one too many"));
            r.jobs.push(job);
        }),
        (KEPT, |r| r.diaries.get_mut("owner-0").unwrap().push(Line { word: "5".to_owned(), ..line(5.0, "z") })),
        (KEPT, |r| r.diaries.get_mut("owner-0").unwrap().push(line(5.0, "z"))),
        (ONCE, |r| r.pods.extend([beat(10.0, "x", false), beat(10.1, "y", false)])),
        (ADDRESS, |r| vip(r, fault("kill", "m1", 10.0, 14.0), 11.2)),
        (ADDRESS, |r| vip(r, fault("host-loss", "m1", 10.0, 18.0), 11.2)),
        (ADDRESS, |r| vip(r, fault("pause", "m1", 10.0, 18.0), 14.2)),
        (ADDRESS, |r| vip(r, fault("partition", "m1", 10.0, 18.0), 14.2)),
        (CONNECTIONS, |r| lost(r, "m2", Stream::Write, 2)),
        (CONNECTIONS, |r| lost(r, "", Stream::Vip, 2)),
        ("every failed request has a fault that excuses it", |r| {
            r.spans.push(fault("kill", "m2", 10.0, 14.0));
            r.requests.push(Request { through: String::new(), ..request(Stream::Vip, 10.5, Some("reset")) });
        }),
        (UNDISTURBED, |r| r.pods.push(PodChange { restarts: 1, ..web(10.0, "w1", "n1") })),
        (UNDISTURBED, |r| r.pods.push(PodChange { deleting: true, ..web(10.0, "w1", "n1") })),
        (UNDISTURBED, |r| r.pods.push(PodChange { uid: "other".to_owned(), ..web(10.0, "w1", "n3") })),
        (FOLLOWED, |r| drop(r.followed[0].told.remove(1))),
        (FOLLOWED, |r| r.followed[0].told.push(told(52, 11))),
        (FOLLOWED, |r| r.followed[1].told.push(counted(7))),
        (FOLLOWED, |r| r.followed[1].told.push(counted(5))),
        (FOLLOWED, |r| r.followed[0].ended = Some((s(10.0), "exit status: 1".to_owned()))),
        ("no host is silent without a fault that excuses it", |r| {
            r.requests.retain(|one| one.stream != Stream::NodePort || !(10.0..17.0).contains(&one.at.as_secs_f64()));
        }),
        ("a slow leader does not stop writes", |r| {
            let mut slow = fault("slow-disk", "m1", 10.0, 30.0);
            slow.touch.slow = true;
            r.spans.push(slow);
            r.requests.retain(|one| one.stream != Stream::Write || !(11.0..28.0).contains(&one.at.as_secs_f64()));
        }),
        ("a leader that is hit alone stops writes for a second at most", |r| {
            r.spans.push(fault("kill", "m1", 10.0, 14.0));
            r.beats.push(Beat { fault: 0, at: s(10.1), acknowledged: Some(s(10.4)), bound: Some(s(10.6)) });
            r.requests.retain(|one| one.stream != Stream::Write);
            writes(r, 10.0, 11.2);
        }),
        ("scheduler and controllers are at work again a second after a leader is hit alone", |r| {
            r.spans.push(fault("kill", "m1", 10.0, 14.0));
            r.beats.push(Beat { fault: 0, at: s(10.1), acknowledged: Some(s(10.4)), bound: Some(s(11.1)) });
            writes(r, 10.0, 10.4);
        }),
        ("a node lost alone is replaced and out of every service within 10 s", |r| {
            r.spans.push(fault("host-loss", "n1", 5.0, 30.0));
            r.pods.push(PodChange { ready: false, ..web(12.0, "w1", "n1") });
            r.pods.push(web(15.5, "w3", "n3"));
        }),
        ("every workload worked", |r| r.requests.retain(|request| request.stream != Stream::Dns)),
        ("every fault was done and healed", |r| {
            r.spans.push(Span { skipped: Some("it does not run".to_owned()), ..Span::default() });
        }),
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
fn what_a_lost_leader_may_cost_and_what_a_broken_disk_excuses() {
    let run = |spoil: &dyn Fn(&mut Record)| {
        let mut record = good();
        spoil(&mut record);
        broken(&record)
    };
    let none = Vec::<String>::new();
    assert_eq!(run(&|r| vip(r, fault("kill", "m1", 10.0, 14.0), 10.8)), none);
    assert_eq!(run(&|r| vip(r, fault("pause", "m1", 10.0, 18.0), 13.8)), none, "its address ends in the kernel");
    assert_eq!(run(&|r| lost(r, "m2", Stream::Write, 1)), none);
    assert_eq!(run(&|r| lost(r, "m1", Stream::Write, 3)), none, "through the leader itself");
    // One that is replaced, and one that a node lost.
    assert_eq!(run(&|r| r.pods.extend([beat(10.0, "x", false), beat(10.1, "x", true), beat(10.2, "y", false)])), none);
    let twice = |r: &mut Record| r.pods.extend([beat(10.0, "x", false), beat(10.1, "y", false)]);
    let on_node = Span { leader: false, silences: false, ..fault("kill-container", "n1", 9.0, 12.0) };
    assert_eq!(run(&|r| (twice(r), r.spans.push(on_node.clone())).0), none);
    let back = |kind: &str| {
        let kind = kind.to_owned();
        run(&move |r| {
            r.spans.push(Span { kind: kind.clone(), ..fault("", "n1", 4.0, 4.5) });
            let again = numbered((5.0, "z", 9));
            r.diaries.get_mut("owner-0").unwrap().push(again);
        })
    };
    assert_eq!((back("power-cut"), back("host-loss")), (none.clone(), vec![KEPT.to_owned()]));
    let torn = |kind: &str| {
        let span = Span { leader: false, ..fault(kind, "n1", 4.0, 4.5) };
        run(&move |r| (r.followed[1].told.push(Told::Odd("\0\0".to_owned())), r.spans.push(span.clone())).1)
    };
    assert_eq!((torn("power-cut"), torn("host-loss")), (none, vec![FOLLOWED.to_owned()]));
}

#[test]
fn a_follower_excuses_nothing_at_the_virtual_address_and_the_leader_does() {
    let run = |span: Span| {
        let mut record = good();
        record.spans.push(span);
        record.requests.push(Request { through: String::new(), ..request(Stream::Kubectl, 10.5, Some("reset")) });
        broken(&record).contains(&"every failed request has a fault that excuses it".to_owned())
    };
    assert!(run(fault("kill", "m2", 10.0, 14.0)), "a follower");
    assert!(!run(fault("kill", "m1", 10.0, 14.0)), "the leader");
    // A member that comes and goes may lead.
    let touch = Touch { api: true, ..Touch::default() };
    assert!(!run(Span { touch, ..fault("add-master", "m4", 10.0, 14.0) }));
}

#[test]
fn a_fault_on_a_node_excuses_missing_pods_and_nothing_excuses_surplus() {
    let mut record = good();
    record.pods.extend([taken(24.0, "a"), taken(24.1, "b"), taken(24.2, "c")]);
    record.spans.push(fault("host-loss", "n1", 20.0, 26.0));
    assert_eq!(broken(&record), Vec::<String>::new());
    record.pods.extend(["d", "e", "f", "g"].map(|name| pod(25.0, name, true)));
    assert_eq!(broken(&record), ["a deployment never has too many pods, and loses none that it needs"]);
}

#[test]
fn a_leader_that_was_not_alone_and_a_node_with_disturbed_masters_are_not_judged_by_time() {
    let mut record = good();
    record.spans.extend([fault("kill", "m1", 10.0, 14.0), fault("kill", "m2", 12.0, 15.0)]);
    record.requests.retain(|one| one.stream != Stream::Write);
    writes(&mut record, 10.0, 12.5);
    assert_eq!(broken(&record), Vec::<String>::new(), "{:?}", judge(&record));
    record.spans.truncate(1);
    record.beats.push(Beat { fault: 0, at: s(10.1), acknowledged: None, bound: Some(s(10.6)) });
    assert_eq!(broken(&record), ["a leader that is hit alone stops writes for a second at most"]);
    let mut record = good();
    record.spans.extend([fault("host-loss", "n1", 5.0, 30.0), fault("kill", "m2", 8.0, 12.0)]);
    record.pods.extend([PodChange { ready: false, ..web(12.0, "w1", "n1") }, web(19.0, "w3", "n3")]);
    assert_eq!(broken(&record), Vec::<String>::new(), "{:?}", judge(&record));
}

#[test]
fn an_identity_must_be_given_away_by_a_node_that_is_away_for_long() {
    let seconds = |node: &str, from: u32, to: u32| {
        let on = |at| Line { node: node.to_owned(), ..line(f64::from(at), node) };
        (from..to).map(on).collect::<Vec<_>>()
    };
    let run = |elsewhere: u32, leader: Option<Span>| {
        let mut record = Record { healed: Some(s(80.0)), must_move: true, ..good() };
        let stream = |stream| (0..80).map(move |n| request(stream, f64::from(n), None));
        record.requests = Stream::ALL.into_iter().flat_map(stream).collect();
        record.spans.push(fault("unplug", "n1", 10.0, 75.0));
        record.spans.extend(leader);
        let lines = [seconds("n1", 0, 40), seconds("n2", elsewhere, 80)].concat();
        record.diaries = [("member-0".to_owned(), lines)].into();
        record.pods.extend([PodChange { ready: false, ..web(18.0, "w1", "n1") }, web(19.0, "w3", "n3")]);
        broken(&record)
    };
    assert_eq!(run(48, None), Vec::<String>::new());
    assert_eq!(run(66, None), ["no identity stays on a node that is away"]);
    let never = ["no two pods of one name run at once", "no identity stays on a node that is away"];
    assert_eq!(run(80, None), never);
    assert_eq!(run(38, None), never[..1], "two at once");
    // Whoever leads from then on waits anew.
    let hit = Span { leader: false, ..fault("kill", "m2", 30.0, 34.0) };
    assert_eq!(run(66, Some(hit)), Vec::<String>::new());
}

#[test]
fn a_request_that_hangs_is_excused_as_a_whole_and_the_silence_after_it_is_not() {
    let run = |hangs: f64| {
        let mut record = good();
        record.spans.push(fault("unplug", "n2", 5.0, 6.0));
        record.requests.retain(|r| r.stream != Stream::NodePort || !(21.0..29.5).contains(&r.at.as_secs_f64()));
        let late = Request { took: s(hangs), ..request(Stream::NodePort, 20.5, Some("no answer")) };
        record.requests.push(late);
        broken(&record)
    };
    assert_eq!(run(8.0), Vec::<String>::new());
    assert_eq!(run(1.0), ["no host is silent without a fault that excuses it"]);
}

#[test]
fn what_a_fault_on_the_same_node_excuses_and_one_elsewhere_does_not() {
    let run = |host: &str, kind: &str, silent: bool, until: f64| {
        let mut record = good();
        let mut span = fault(kind, host, 5.0, until);
        span.leader = false;
        if silent {
            span.touch = Touch { silent: true, pods: false, names: true, ..span.touch };
        }
        record.spans.push(span);
        record.pods.push(PodChange { deleting: true, ..web(14.0, "w1", "n1") });
        broken(&record)
    };
    assert_eq!(run("n1", "kill-container", false, 6.0), Vec::<String>::new());
    assert_eq!(run("n2", "kill-container", false, 6.0), [UNDISTURBED]);
    assert_eq!(run("m1", "kill", false, 6.0), [UNDISTURBED], "no master takes pods away");
    assert_eq!(run("n1", "pause", true, 25.0), Vec::<String>::new(), "its agent was silent");
    assert_eq!(run("n1", "kill", true, 7.0), [UNDISTURBED], "it was back at once");
}
