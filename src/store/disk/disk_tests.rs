//! The state's database against the state it mirrors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::alarm::Alarm;
use crate::disk::{AppliedEntry, Directory, Disk, Engines, Loaded, Progress, Rocks, SnapshotDir, start};
use crate::files::{RealTree, Tree};
use crate::joined::Joined;
use crate::member::RaftThread;
use crate::raft::types::LogId;
use crate::rt::Runner;
use raftsman_state::{Body, Compare, Key, Meta, Op, Origin, Resource, State, Txn};
use std::sync::Arc;

fn key(name: u64) -> Key {
    Key::new(&Resource::from("pods"), "default", &format!("p{name}"))
}

/// A mixture of everything that reaches storage.
pub(super) fn txn(n: u64) -> Txn {
    let put =
        Op::Put { key: key(n % 13), meta: Arc::new(Meta::default()), body: Body::plain(format!("{{\"n\":{n}}}")) };
    let op = match n % 11 {
        3 => Op::Delete { key: key(n % 7) },
        5 if n % 10 == 5 => Op::BeginEpoch { revision: n * 3, epoch: n },
        7 => Op::Compact { resource: Resource::from("pods"), floor: n / 2 },
        _ => put,
    };
    let compares = if n % 5 == 4 { vec![Compare::Absent(key(n % 13))] } else { Vec::new() };
    let origin = n.is_multiple_of(2).then(|| Origin {
        member: 1 + n % 3,
        session: 1 + n / 60,
        sequence: n,
        low_water: n.saturating_sub(9),
    });
    Txn { compares, ops: vec![op], origin }
}

pub(super) struct Opened {
    pub(super) disk: Disk,
    pub(super) state: State,
    pub(super) progress: Progress,
    pub(super) directory: Arc<Directory>,
    _thread: Joined,
}

impl Opened {
    pub(super) fn at(path: &std::path::Path) -> Self {
        Self::on(Arc::new(RealTree::open(path).unwrap()), Arc::new(Rocks::new(path)))
    }

    pub(super) fn on(tree: Arc<dyn Tree>, engines: Arc<dyn Engines>) -> Self {
        let directory = Arc::new(Directory::open(tree).unwrap());
        let runner = Runner::Threads(RaftThread::start(|| ()).unwrap());
        let (disk, Loaded { state, progress }, thread) =
            start(directory.clone(), engines, &runner, &Alarm::new()).unwrap();
        Self { disk, state, progress, directory, _thread: Joined(Some(thread)) }
    }

    pub(super) async fn apply(&mut self, range: std::ops::Range<u64>) {
        for n in range {
            let txn = txn(n);
            let applied = AppliedEntry { applied: self.state.apply(2, &txn), origin: txn.origin };
            self.progress = Progress::of(&self.state, Some(LogId::new(2.into(), n)), &Arc::default());
            self.disk.applied(vec![applied], self.progress.clone()).await.unwrap();
        }
    }

    pub(super) fn close(self) {}
}

pub(super) fn seen(state: &State) -> Vec<String> {
    let view = state.view();
    let mut out = vec![format!("{} {} {:?}", view.revision(), state.base_floor(), state.sessions())];
    for (resource, table) in view.tables() {
        out.push(format!("{resource} {}", table.floor()));
        out.extend(table.list(None, None).map(|o| format!("{o:?} {}", String::from_utf8_lossy(&o.json))));
        out.extend(table.changes_after(table.floor()).unwrap().map(|c| format!("{c:?}")));
    }
    out
}

#[tokio::test]
async fn what_is_loaded_is_what_was_applied() {
    let directory = tempfile::tempdir().unwrap();
    let mut live = Opened::at(directory.path());
    for round in 0..6 {
        live.apply(round * 40..(round + 1) * 40).await;
        let (state, progress) = (seen(&live.state), live.progress.clone());
        live.close();
        live = Opened::at(directory.path());
        assert_eq!(seen(&live.state), state);
        assert_eq!(live.progress, progress);
    }
}

#[tokio::test]
async fn a_crash_leaves_an_earlier_moment_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut live = Opened::at(directory.path());
    live.apply(0..100).await;
    let flushed = live.disk.snapshot().await.unwrap();
    let (state, progress) = (seen(&live.state), live.progress.clone());
    live.apply(100..150).await;
    // What is on disk now is what a crash would leave: the rest is in memory only.
    let crashed = tempfile::tempdir().unwrap();
    let target = crashed.path().join("state");
    std::fs::create_dir(&target).unwrap();
    for file in std::fs::read_dir(directory.path().join("state")).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "LOCK" {
            std::fs::copy(file.path(), target.join(file.file_name())).unwrap();
        }
    }
    let mut found = Opened::at(crashed.path());
    assert_eq!(found.progress, progress);
    assert_eq!(seen(&found.state), state);
    assert_eq!(flushed.meta.last_log_id, progress.applied);
    // Applied again from the log it is the same as if nothing had happened.
    found.apply(100..150).await;
    assert_eq!(seen(&found.state), seen(&live.state));
}

#[tokio::test]
async fn a_snapshot_replaces_another_state() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut source = Opened::at(one.path());
    source.apply(0..120).await;
    let snapshot = source.disk.snapshot().await.unwrap();
    source.apply(120..130).await;
    let mut target = Opened::at(two.path());
    target.apply(0..7).await;
    // As it is received: into the target's own directory.
    let tree: Arc<dyn Tree> = Arc::new(RealTree::open(two.path()).unwrap());
    let received = SnapshotDir::own(tree, "snapshots/received".into());
    for (name, size) in snapshot.directory.files().unwrap() {
        let mut bytes = vec![0; size as usize];
        snapshot.directory.open().unwrap().open(&name).unwrap().read_at(&mut bytes, 0).unwrap();
        received.open().unwrap().create(&name).unwrap().write_at(&bytes, 0).unwrap();
    }
    let (loaded, current) = target.disk.install(received).await.unwrap();
    assert_eq!(loaded.progress.applied, Some(LogId::new(2.into(), 119)));
    assert_eq!(current.meta.last_log_id, snapshot.meta.last_log_id);
    target.state = loaded.state;
    target.apply(120..130).await;
    assert_eq!(seen(&target.state), seen(&source.state));
    let state = seen(&target.state);
    drop(current);
    target.close();
    let target = Opened::at(two.path());
    assert_eq!(seen(&target.state), state);
    drop(target);
    assert!(two.path().join("state").exists());
}

/// Whichever byte of a table is turned around: it is found before the snapshot is put anywhere.
#[tokio::test]
async fn a_damaged_snapshot_is_told_from_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut live = Opened::at(directory.path());
    live.apply(0..120).await;
    let snapshot = live.disk.snapshot().await.unwrap().directory;
    live.directory.check(&snapshot).unwrap();
    let at = directory.path().join(snapshot.name());
    let tables = || std::fs::read_dir(&at).unwrap().map(|file| file.unwrap().path());
    let tables: Vec<_> = tables().filter(|path| path.extension().is_some_and(|end| end == "sst")).collect();
    assert!(!tables.is_empty());
    for table in tables {
        let whole = std::fs::read(&table).unwrap();
        // Not linked to the database any more.
        std::fs::remove_file(&table).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 4] ^= 0x10;
        std::fs::write(&table, damaged).unwrap();
        live.directory.check(&snapshot).unwrap_err();
        std::fs::write(&table, whole).unwrap();
        live.directory.check(&snapshot).unwrap();
    }
}

#[test]
fn an_interrupted_swap_is_undone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("state.old/inside")).unwrap();
    std::fs::create_dir_all(directory.path().join("snapshots/7")).unwrap();
    Directory::open(Arc::new(RealTree::open(directory.path()).unwrap())).unwrap();
    assert!(directory.path().join("state/inside").exists());
    assert!(!directory.path().join("state.old").exists());
    assert!(!directory.path().join("snapshots/7").exists());
}
