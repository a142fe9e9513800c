#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::record::*;
use crate::schedule::{Schedule, Spec, Step, Who};
use crate::verdicts::judge;
use std::time::Duration;

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn write(at: f64, took: f64, error: Option<&str>) -> Request {
    let error = error.map(str::to_owned);
    Request { stream: Stream::Write, through: "m1".to_owned(), keeps: None, at: s(at), took: s(took), error }
}

fn record() -> Record {
    let touch = Touch { hosts: ["m1".to_owned()].into(), api: true, ..Touch::default() };
    let kill = Span {
        kind: "kill".to_owned(),
        what: "SIGKILL to the master on m1 <&>".to_owned(),
        leader: true,
        silences: true,
        begun: s(5.0),
        from: s(5.0),
        until: Some(s(9.0)),
        touch,
        ..Span::default()
    };
    let lead =
        |at, leader: &str, term| Lead { at: s(at), says: "m2".to_owned(), leader: Some(leader.to_owned()), term };
    Record {
        spans: vec![kill],
        requests: vec![
            write(1.0, 0.01, None),
            write(5.1, 0.3, Some("refused")),
            write(5.2, 0.4, None),
            write(5.5, 0.2, None),
            write(20.0, 0.1, Some("why")),
        ],
        leads: vec![lead(0.0, "m1", 1), lead(5.3, "m2", 2), lead(5.4, "m1", 1)],
        masters: 3,
        healed: Some(s(19.0)),
        ..Record::default()
    }
}

fn schedule() -> Schedule {
    let steps = vec![Step { at_ms: 5000, for_ms: 4000, fault: Spec::Kill { who: Who::of("leader") } }];
    Schedule { scenario: "leader-kills".to_owned(), seed: Some(3), seconds: 20, steps }
}

#[test]
fn a_run_is_told_second_by_second() {
    let (record, schedule) = (record(), schedule());
    let judged = judge(&record);
    let model = Model::new(&record, &schedule, &judged, "scripts/chaos.sh --seed 3".to_owned());
    let fifth = &model.seconds[&Stream::Write][5];
    assert_eq!((fifth.good, fifth.excused, fifth.failed), (2, 1, 0));
    assert_eq!(model.seconds[&Stream::Write][20].failed, 1);
    assert_eq!(fifth.percentile(99), Some(s(0.4)));
    // What an old leader says late is no news.
    let reigns: Vec<_> = model.reigns.iter().map(|reign| (reign.leader.as_str(), reign.from)).collect();
    assert_eq!(reigns, [("m1", s(0.0)), ("m2", s(5.3))]);
    let recovery = model.recoveries.iter().find(|one| one.what.contains("write")).unwrap();
    assert_eq!(
        (recovery.what.as_str(), recovery.times.len()),
        ("leader hit (kill, alone) to the next acknowledged write", 1)
    );
    assert!((recovery.percentile(50).as_secs_f64() - 0.6).abs() < 1e-6);
    assert!((model.gaps[&(Stream::Write, "m1".to_owned())].as_secs_f64() - 4.59).abs() < 1e-6);
}

#[test]
fn the_page_stands_alone_and_says_everything() {
    let (record, schedule) = (record(), schedule());
    let judged = judge(&record);
    let model = Model::new(&record, &schedule, &judged, "scripts/chaos.sh --seed 3".to_owned());
    let page = page(&model);
    for word in
        ["SIGKILL to the master on m1 &lt;&amp;&gt;", "scripts/chaos.sh --seed 3", "BROKEN", "<svg", "atMs: 5000"]
    {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("<script") && !page.contains("href=") && !page.contains("src="));
    let summary = summary(&model);
    assert!(summary.contains("again:  scripts/chaos.sh --seed 3") && summary.contains("BROKEN  every workload worked"));
}

#[test]
fn many_runs_are_added_up_in_one_table() {
    let (record, schedule) = (record(), schedule());
    let judged = judge(&record);
    let one = Run::of(&Model::new(&record, &schedule, &judged, "again".to_owned()));
    let text = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), one);
    assert_eq!((one.leader_kills, one.leader_hits, one.node_losses, one.faults), (1, 1, 0, 1));
    let mut good = Run { scenario: "power".to_owned(), ..one.clone() };
    good.verdicts.iter_mut().for_each(|verdict| verdict.holds = true);
    let table = overall(&[one.clone(), one, good]);
    let line = |begin: &str| table.lines().find(|line| line.starts_with(begin)).unwrap_or_default().to_owned();
    assert!(line("leader-kills").split_whitespace().take(4).eq(["leader-kills", "2", "0.7", "2"]), "{table}");
    assert!(line("leader-kills").contains("BROKEN (seed 3)") && line("power").contains("hold"), "{table}");
    assert_eq!(line("1 of 3 runs hold"), "1 of 3 runs hold, 1.0 minutes, 3 faults");
    assert_eq!(line("3 leaders hit"), "3 leaders hit, 3 of them killed; 0 nodes lost");
    let times = line("leader hit (kill, alone) to the next acknowledged write");
    assert!(times.split_whitespace().rev().take(7).eq(["ms", "600", "ms", "600", "ms", "600", "3"]), "{times}");
    assert!(line("writes ").split_whitespace().eq(["writes", "15", "3", "3"]), "{table}");
}
