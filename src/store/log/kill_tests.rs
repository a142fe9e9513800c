//! The log in a process that is killed by SIGKILL, again and again, at any moment: while opening, writing, recycling.
//!
//! `RAFTSMAN_TEST_KILL_SECONDS` sets for how long (10 seconds if absent).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::files::RealFiles;
use crate::files::faulty::Dice;
use crate::log::OpenLog;
use crate::log::crash_tests::{Model, Step, held, options, stage, workload};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIRECTORY: &str = "RAFTSMAN_TEST_KILL_DIRECTORY";
const ROUND: &str = "RAFTSMAN_TEST_KILL_ROUND";
const SECONDS: &str = "RAFTSMAN_TEST_KILL_SECONDS";

/// More than a process writes before it is killed.
const BATCHES: usize = 400;

fn open(directory: &Path) -> OpenLog {
    OpenLog::open(Arc::new(RealFiles::open(directory).unwrap()), "killed", 1, options()).unwrap()
}

fn work(round: u64, from: &Model) -> Vec<Vec<Step>> {
    workload(round, from, BATCHES)
}

/// Not a test of its own: the process that is killed. It prints a line for each batch that is synced.
#[test]
fn writes_until_killed() {
    let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else {
        return;
    };
    let mut opened = open(Path::new(&directory));
    let batches = work(round.parse().unwrap(), &held(&opened));
    for batch in batches {
        batch.iter().for_each(|step| stage(&mut opened.appender, step).unwrap());
        opened.appender.flush().unwrap();
        let mut out = std::io::stdout().lock();
        out.write_all(b"synced\n").unwrap();
        out.flush().unwrap();
    }
    opened.appender.close().unwrap();
}

#[test]
fn a_killed_process_leaves_what_it_synced() {
    let seconds = std::env::var(SECONDS).map_or(10, |seconds| seconds.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice(seconds);
    let mut model = held(&open(directory.path()));
    let (mut round, mut synced) = (0, 0);
    while Instant::now() < until {
        round += 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::kill_tests::writes_until_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::sleep(Duration::from_micros(dice.roll(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = out.lines().map_while(Result::ok).filter(|line| line.ends_with("synced")).count();
        // That many batches, and perhaps a part of the next one.
        let mut perhaps = vec![model.clone()];
        for (n, batch) in work(round, &model).iter().enumerate().take(lines + 1) {
            let from = perhaps.pop().unwrap();
            perhaps = vec![from];
            for step in batch {
                let now = perhaps[perhaps.len() - 1].clone();
                perhaps.extend(now.through(step));
            }
            if n < lines {
                perhaps.drain(..perhaps.len() - 1);
            }
        }
        let found = held(&open(directory.path()));
        assert!(perhaps.contains(&found), "round {round}, {lines} batches: found {found:?}\nmay be {perhaps:?}");
        model = found;
        synced += lines;
    }
    println!("{round} kills, {synced} synced batches");
    assert!(synced > 0);
}
