//! The log on a disk that crashes at every single operation, and on a damaged one.
//!
//! What is found afterwards must be what was acknowledged, or that and a beginning of what was being written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::files::Files;
use crate::files::faulty::{Dice, Fault, FaultyFiles, Loss};
use crate::log::appender::Appender;
use crate::log::{LogOptions, OpenLog};
use crate::raft::types::{Command, Entry, LogId, Vote};
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;
use std::io;
use std::sync::Arc;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index)
}

/// What a log holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Model {
    vote: Option<Vote>,
    purged: Option<LogId>,
    last: Option<LogId>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Append(Vec<Entry>),
    Vote(Vote),
    Committed(LogId),
    Truncate(Option<LogId>),
    Purge(LogId),
}

impl Model {
    fn next(&self) -> u64 {
        self.last.map_or(0, |last| last.index() + 1)
    }

    /// All states on the way through a step, the last one being that after it.
    pub(crate) fn through(&self, step: &Step) -> Vec<Self> {
        let mut now = self.clone();
        let mut all = Vec::new();
        match step {
            Step::Append(entries) => {
                for entry in entries {
                    now.entries.push(entry.clone());
                    now.last = Some(entry.log_id());
                    all.push(now.clone());
                }
                return all;
            }
            Step::Vote(vote) => now.vote = Some(*vote),
            Step::Committed(_) => {}
            Step::Truncate(after) => {
                now.entries.retain(|entry| after.is_some_and(|after| entry.index() <= after.index()));
                now.last = *after;
            }
            Step::Purge(upto) => {
                now.entries.retain(|entry| entry.index() > upto.index());
                now.purged = Some(*upto);
                now.last = now.last.filter(|last| last.index() > upto.index()).or(Some(*upto));
            }
        }
        all.push(now);
        all
    }
}

/// Batches of steps as Raft might ask for them; everything that a log does happens.
pub(crate) fn workload(seed: u64, from: &Model, batches: usize) -> Vec<Vec<Step>> {
    let mut dice = Dice(seed);
    let mut model = from.clone();
    let mut term = from.vote.map_or(1, |vote| vote.leader_id.term() + 100);
    (0..batches)
        .map(|_| {
            (0..1 + dice.roll(4))
                .map(|_| {
                    let step = match dice.roll(12) {
                        0 => {
                            term += 1;
                            Step::Vote(Vote::new(term, 1 + dice.roll(3)))
                        }
                        1 => Step::Committed(model.last.unwrap_or(id(0, 0))),
                        2 if !model.entries.is_empty() => {
                            term += 1;
                            let keep = dice.roll(model.entries.len() as u64) as usize;
                            Step::Truncate(model.entries[..keep].last().map(Entry::log_id).or(model.purged))
                        }
                        3 | 4 if !model.entries.is_empty() => {
                            Step::Purge(model.entries[dice.roll(model.entries.len() as u64) as usize].log_id())
                        }
                        // A snapshot was installed.
                        5 if dice.roll(3) == 0 => Step::Purge(id(term, model.next() + dice.roll(20))),
                        _ => {
                            let count = 1 + dice.roll(4);
                            let size = [10, 700, 3000, 20_000][dice.roll(4) as usize];
                            Step::Append(
                                (0..count)
                                    .map(|n| {
                                        let fill = dice.roll(256) as u8;
                                        let bytes = vec![fill; dice.roll(size) as usize];
                                        Entry::new_normal(id(term, model.next() + n), Command(bytes.into()))
                                    })
                                    .collect(),
                            )
                        }
                    };
                    model = model.through(&step).pop().unwrap();
                    step
                })
                .collect()
        })
        .collect()
}

pub(crate) fn options() -> LogOptions {
    LogOptions { segment_bytes: 48 << 10, group_bytes: 5000, background: Arc::new(|job| job()) }
}

fn open(files: &FaultyFiles) -> io::Result<OpenLog> {
    OpenLog::open(Arc::new(files.clone()), "test", 1, options())
}

pub(crate) fn stage(log: &mut Appender, step: &Step) -> io::Result<()> {
    match step {
        Step::Append(entries) => entries.iter().try_for_each(|entry| log.append(entry)),
        Step::Vote(vote) => {
            log.set_vote(*vote);
            Ok(())
        }
        Step::Committed(at) => {
            log.set_committed(Some(*at));
            Ok(())
        }
        Step::Truncate(after) => log.truncate(after.map(|after| after.index())),
        Step::Purge(upto) => log.purge(*upto),
    }
}

/// What the log holds, read from disk.
pub(crate) fn held(opened: &OpenLog) -> Model {
    let entries = opened.log.range(0, u64::MAX, usize::MAX).unwrap();
    Model { vote: opened.vote, purged: opened.purged, last: opened.last, entries }
}

/// Runs batches from a state on; the last state acknowledged, and all that may be found instead of it.
fn run(files: &FaultyFiles, from: &Model, batches: &[Vec<Step>]) -> (Model, Vec<Model>) {
    let mut acknowledged = from.clone();
    let Ok(mut opened) = open(files) else {
        return (acknowledged.clone(), vec![acknowledged]);
    };
    for batch in batches {
        let mut perhaps = vec![acknowledged.clone()];
        for step in batch {
            let now = perhaps[perhaps.len() - 1].clone();
            perhaps.extend(now.through(step));
        }
        let appender = &mut opened.appender;
        let written = batch.iter().try_for_each(|step| stage(appender, step)).and_then(|()| appender.flush());
        if written.is_err() {
            return (acknowledged, perhaps);
        }
        acknowledged = perhaps.pop().unwrap();
    }
    let OpenLog { appender, .. } = opened;
    let _ = appender.close();
    (acknowledged.clone(), vec![acknowledged])
}

/// What must hold after a crash, whatever happens next.
fn check(files: &FaultyFiles, perhaps: &[Model], dice: &mut Dice, context: &str) {
    // Recovery may crash too, and may do so again.
    let mut files = files.clone();
    for _ in 0..dice.roll(3) {
        files.fail(1 + dice.roll(8), Fault::Crash);
        drop(open(&files));
        let loss = [Loss::All, Loss::Nothing, Loss::Torn][dice.roll(3) as usize];
        files = files.after_crash(loss, dice);
    }
    let opened = open(&files).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = held(&opened);
    assert!(perhaps.contains(&found), "{context}: found {found:?}\nmay be {perhaps:?}");
    drop(opened);
    // What was found is promised from now on, also by a crash that loses all it can.
    let files = files.after_crash(Loss::All, dice);
    let again = open(&files).unwrap_or_else(|error| panic!("{context}: again: {error}"));
    assert_eq!(held(&again), found, "{context}: again");
    drop(again);
    // The log goes on.
    let more: Vec<Vec<Step>> = vec![vec![Step::Append(
        (0..3).map(|n| Entry::new_normal(id(1 << 20, found.next() + n), Command(vec![n as u8; 3000].into()))).collect(),
    )]];
    let (after, _) = run(&files, &found, &more);
    assert_eq!(after.entries.len(), found.entries.len() + 3, "{context}: going on");
    assert_eq!(held(&open(&files).unwrap()), after, "{context}: after going on");
}

fn crash_everywhere(seed: u64, batches: usize, samples: u64, fault: Fault) {
    let work = workload(seed, &Model::default(), batches);
    let whole = FaultyFiles::default();
    run(&whole, &Model::default(), &work);
    let operations = whole.operations();
    assert!(operations > batches as u64);
    for at in 1..=operations {
        let files = FaultyFiles::default();
        files.fail(at, fault);
        let (_, perhaps) = run(&files, &Model::default(), &work);
        for sample in 0..samples {
            let mut dice = Dice(seed ^ at << 20 ^ sample << 40);
            let loss = if sample == 0 {
                Loss::All
            } else if sample == 1 {
                Loss::Nothing
            } else {
                Loss::Torn
            };
            let found = files.after_crash(loss, &mut dice);
            check(&found, &perhaps, &mut dice, &format!("seed {seed}, operation {at}, sample {sample}, {loss:?}"));
        }
    }
    println!("seed {seed}: {operations} operations, {} recoveries", operations * samples);
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    for seed in 0..6 {
        crash_everywhere(seed, 40, 6, Fault::Crash);
    }
}

#[test]
fn an_error_at_any_operation_loses_nothing_acknowledged() {
    for seed in 10..14 {
        crash_everywhere(seed, 40, 4, Fault::Error);
    }
}

/// A log with some of everything, closed, and what it holds.
fn closed(seed: u64) -> (FaultyFiles, Model) {
    let files = FaultyFiles::default();
    let (model, _) = run(&files, &Model::default(), &workload(seed, &Model::default(), 60));
    (files, model)
}

/// A damaged log is refused, or the damage touched nothing that counts.
fn refused_or_right(files: &FaultyFiles, model: &Model, context: &str) -> bool {
    match open(files) {
        Ok(opened) => {
            assert_eq!(held(&opened), *model, "{context}");
            false
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("is damaged at byte") && text.contains("To mend it"), "{context}: {text}");
            true
        }
    }
}

#[test]
fn flipped_bits_are_found_wherever_they_matter() {
    let mut refused = 0;
    for seed in 0..4 {
        let (files, model) = closed(seed);
        let mut dice = Dice(seed);
        for name in files.list().unwrap() {
            let size = files.open(&name).unwrap().size().unwrap();
            for _ in 0..300 {
                let copy = files.after_crash(Loss::Nothing, &mut dice);
                let (at, bit) = (dice.roll(size) as usize, dice.roll(8));
                copy.damage(&name, |bytes| bytes[at] ^= 1u8 << bit);
                refused +=
                    u32::from(refused_or_right(&copy, &model, &format!("seed {seed}: {name} byte {at} bit {bit}")));
            }
        }
    }
    println!("{refused} refusals");
    assert!(refused > 100, "{refused}");
}

#[test]
fn truncated_zeroed_and_missing_files_are_found() {
    for seed in 0..8 {
        let (files, model) = closed(seed);
        let mut dice = Dice(seed);
        let mut refused = 0;
        for name in files.list().unwrap() {
            let size = files.open(&name).unwrap().size().unwrap();
            for _ in 0..10 {
                let copy = files.after_crash(Loss::Nothing, &mut dice);
                let keep = dice.roll(size) as usize;
                copy.damage(&name, |bytes| bytes.truncate(keep));
                refused += u32::from(refused_or_right(&copy, &model, &format!("{name} of {keep} bytes")));
            }
            for block in 0..size / 4096 {
                let copy = files.after_crash(Loss::Nothing, &mut dice);
                let at = block as usize * 4096;
                copy.damage(&name, |bytes| bytes[at..at + 4096].fill(0));
                refused += u32::from(refused_or_right(&copy, &model, &format!("seed {seed}: {name} zeroed at {at}")));
            }
            let copy = files.after_crash(Loss::Nothing, &mut dice);
            copy.remove(&name).unwrap();
            let missing = refused_or_right(&copy, &model, &format!("seed {seed}: no {name}"));
            assert!(missing || name != "manifest", "{name}");
            refused += u32::from(missing);
        }
        assert!(refused > 10, "{refused}");
    }
}

#[test]
fn nothing_is_taken_for_whole_that_a_crash_has_never_synced() {
    // A sync fails, the process ends, and the system shows the next one what it never wrote.
    let files = FaultyFiles::default();
    let work = workload(3, &Model::default(), 5);
    let (model, _) = run(&files, &Model::default(), &work);
    let mut opened = open(&files).unwrap();
    let entry = Entry::new_normal(id(99, model.next()), Command(vec![1; 5000].into()));
    // The write, then the sync.
    files.fail(2, Fault::Error);
    opened.appender.append(&entry).unwrap();
    assert!(opened.appender.flush().is_err());
    drop(opened);
    let mut dice = Dice(1);
    let found = files.after_crash(Loss::Nothing, &mut dice);
    let opened = open(&found).unwrap();
    let seen = held(&opened);
    assert_eq!(seen.entries.last(), Some(&entry), "the page cache holds it");
    drop(opened);
    let found = found.after_crash(Loss::All, &mut dice);
    assert_eq!(held(&open(&found).unwrap()), seen);
}

#[test]
fn two_torn_groups_are_never_read_as_one() {
    // Both of the same length at the same place, each torn: together they have all sectors.
    let entry = |fill: u8| Entry::new_normal(id(1, 0), Command(vec![fill; 1200].into()));
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut files = FaultyFiles::default();
        let (_, _) = run(&files, &Model::default(), &[]);
        let mut written = Vec::new();
        for fill in 1..=3 {
            let mut opened = open(&files).unwrap();
            if let Some(found) = held(&opened).entries.first() {
                assert!(written.contains(found), "seed {seed}: {:?}", found.payload);
                break;
            }
            written.push(entry(fill));
            opened.appender.append(&entry(fill)).unwrap();
            // The write is done, the sync is not.
            files.fail(2, Fault::Crash);
            assert!(opened.appender.flush().is_err());
            drop(opened);
            files = files.after_crash(Loss::Torn, &mut dice);
        }
        let opened = open(&files).unwrap();
        assert!(held(&opened).entries.iter().all(|found| written.contains(found)), "seed {seed}");
    }
}
