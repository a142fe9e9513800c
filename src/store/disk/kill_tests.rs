//! The state on true files and a true RocksDB in a process that ends at a chosen operation: while it writes and makes a snapshot,
//! and while it puts a snapshot in the place of its state. Every operation once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::disk::disk_tests::{Opened, seen, txn};
use crate::disk::engine::{Each, Flusher};
use crate::disk::{Batch, Engine, Engines, Rocks};
use crate::files::{File, Files, Lock, RealTree, Tree};
use raftsman_state::State;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DIRECTORY: &str = "RAFTSMAN_TEST_END_DIRECTORY";
const AT: &str = "RAFTSMAN_TEST_END_AT";
const INSTALLS: &str = "RAFTSMAN_TEST_END_INSTALLS";

/// The last entry of the state that a snapshot replaces, and of the snapshot.
const OLD: u64 = 39;
const INSTALLED: u64 = 119;

/// Counts operations; the process ends before the one that makes it 0.
#[derive(Clone)]
struct End(Arc<AtomicU64>);

impl End {
    fn is_now(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 1
    }

    fn step(&self) {
        if self.is_now() {
            std::process::abort();
        }
    }
}

struct EndingTree(RealTree, End);

impl Tree for EndingTree {
    fn place(&self) -> String {
        self.0.place()
    }

    fn directory(&self, name: &str) -> io::Result<Arc<dyn Files>> {
        self.1.step();
        Ok(Arc::new(EndingFiles(self.0.directory(name)?, self.1.clone())))
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.0.exists(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.step();
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.1.step();
        self.0.remove(name)
    }

    fn link(&self, file: &str, from: &str, to: &str) -> io::Result<()> {
        self.1.step();
        self.0.link(file, from, to)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.1.step();
        self.0.sync(name)
    }
}

struct EndingFiles(Arc<dyn Files>, End);

impl Files for EndingFiles {
    fn place(&self) -> String {
        self.0.place()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.0.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(EndingFile(self.0.open(name)?, self.1.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.1.step();
        Ok(Arc::new(EndingFile(self.0.create(name)?, self.1.clone())))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.step();
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.1.step();
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.1.step();
        self.0.sync_dir()
    }
}

struct EndingFile(Arc<dyn File>, End);

impl File for EndingFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(into, offset)
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        if self.1.is_now() {
            // In the middle of it.
            let _ = self.0.write_at(&from[..from.len() / 2], offset);
            std::process::abort();
        }
        self.0.write_at(from, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.1.step();
        self.0.allocate(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.step();
        self.0.sync_data()
    }
}

struct EndingRocks(Rocks, End);

impl Engines for EndingRocks {
    fn open(&self, name: &str) -> io::Result<Box<dyn Engine>> {
        self.1.step();
        Ok(Box::new(EndingEngine(self.0.open(name)?, self.1.clone())))
    }
}

struct EndingEngine(Box<dyn Engine>, End);

impl Engine for EndingEngine {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], each: Each<'_>) -> io::Result<()> {
        self.0.scan(prefix, each)
    }

    fn write(&mut self, fill: &mut dyn FnMut(&mut dyn Batch) -> io::Result<()>) -> io::Result<()> {
        self.1.step();
        self.0.write(fill)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.step();
        self.0.flush()
    }

    fn flusher(&self) -> Option<Flusher> {
        let (flusher, end) = (self.0.flusher()?, self.1.clone());
        Some(Arc::new(move || {
            end.step();
            flusher()
        }))
    }

    fn checkpoint(&mut self, name: &str) -> io::Result<()> {
        self.1.step();
        self.0.checkpoint(name)
    }
}

/// Says that everything up to an entry must be there from now on.
fn kept(entry: u64) {
    let mut out = io::stdout().lock();
    writeln!(out, "\nkept {entry}").unwrap();
    out.flush().unwrap();
}

/// Not a test of its own: the process that ends.
#[tokio::test]
async fn works_until_it_ends() {
    let (Ok(directory), Ok(at)) = (std::env::var(DIRECTORY), std::env::var(AT)) else { return };
    let directory = Path::new(&directory);
    let end = End(Arc::new(AtomicU64::new(at.parse().unwrap())));
    let tree = EndingTree(RealTree::open(directory).unwrap(), end.clone());
    let mut opened = Opened::on(Arc::new(tree), Arc::new(EndingRocks(Rocks::new(directory), end)));
    if std::env::var(INSTALLS).is_ok() {
        opened.apply(OLD + 1..OLD + 6).await;
        let arrived = opened.directory.arrived().unwrap();
        opened.directory.check(&arrived).unwrap();
        let (loaded, _current) = opened.disk.install(arrived).await.unwrap();
        kept(INSTALLED);
        (opened.state, opened.progress) = (loaded.state, loaded.progress);
        opened.apply(INSTALLED + 1..INSTALLED + 20).await;
        drop(opened.disk.snapshot().await.unwrap());
        kept(INSTALLED + 19);
    } else {
        for round in 0..6 {
            opened.apply(round * 20..(round + 1) * 20).await;
            // The one before goes meanwhile.
            drop(opened.disk.snapshot().await.unwrap());
            kept(round * 20 + 19);
        }
    }
    opened.close();
}

/// What is there after the process has ended, wherever it did.
fn everywhere(name: &str, installs: bool, prepare: impl Fn(&Path)) {
    let states: Vec<Vec<String>> = (0..INSTALLED + 20)
        .scan(State::default(), |state, n| {
            state.apply(2, &txn(n));
            Some(seen(state))
        })
        .collect();
    let (mut at, mut behind) = (0, 0);
    loop {
        at += 1;
        assert!(at < 1_000, "{name}: it never comes to its end");
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "disk::kill_tests::works_until_it_ends", "--nocapture"]);
        child.env(DIRECTORY, directory.path()).env(AT, at.to_string()).stderr(Stdio::null());
        if installs {
            child.env(INSTALLS, "1");
        }
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let least = said.lines().filter_map(|line| line.strip_prefix("kept ")?.parse::<u64>().ok()).max();
        let least = least.or(installs.then_some(OLD));

        let found = Opened::at(directory.path());
        let entry = found.progress.applied.map(|id| id.index());
        assert!(entry >= least, "{name}, operation {at}: {entry:?} where {least:?} was kept\n{said}");
        if let Some(entry) = entry {
            assert!(!installs || entry <= OLD + 5 || entry >= INSTALLED, "{name}, operation {at}: at {entry}");
            assert_eq!(seen(&found.state), states[entry as usize], "{name}, operation {at}: at entry {entry}");
        }
        behind += u64::from(entry > least);
        found.close();
        if output.status.success() {
            break;
        }
    }
    println!("{name}: ended at each of {} operations, {behind} times with more than it had said", at - 1);
    assert!(at > 20);
}

#[test]
fn a_process_that_ends_at_any_operation_of_a_snapshot_leaves_a_whole_state() {
    everywhere("snapshots", false, |_| {});
}

#[tokio::test]
async fn a_process_that_ends_at_any_operation_of_an_install_leaves_the_old_state_or_the_new() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut opened = Opened::at(old.path());
    opened.apply(0..OLD + 1).await;
    opened.close();
    let mut opened = Opened::at(new.path());
    opened.apply(0..INSTALLED + 1).await;
    let snapshot = opened.disk.snapshot().await.unwrap();
    let sent = new.path().join(snapshot.directory.name());
    let copy = |from: &Path, to: &Path| {
        std::fs::create_dir_all(to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    everywhere("installs", true, |to| {
        copy(&old.path().join("state"), &to.join("state"));
        copy(&sent, &to.join("incoming"));
    });
    drop(snapshot);
    opened.close();
}
