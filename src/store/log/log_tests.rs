//! The log through openraft's traits, against what was written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::alarm::Alarm;
use crate::files::RealFiles;
use crate::joined::Joined;
use crate::log::{LogOptions, LogStorage, OpenLog};
use crate::member::RaftThread;
use crate::raft::types::{Command, Entry, LogId, TypeConfig, Vote};
use crate::rt::Runner;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{RaftLogReader, RaftTypeConfig};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index)
}

fn entry(term: u64, index: u64, size: usize) -> Entry {
    Entry::new_normal(id(term, index), Command(vec![index as u8; size].into()))
}

/// Small segments and groups: much of what is rare happens all the time.
fn open(path: &Path, cluster: &str, member: u64) -> std::io::Result<OpenLog> {
    let files = Arc::new(RealFiles::open(path)?);
    let options = LogOptions {
        segment_bytes: 64 << 10,
        group_bytes: 2000,
        background: Arc::new(|job| drop(std::thread::spawn(job))),
    };
    OpenLog::open(files, cluster, member, options)
}

struct Log {
    storage: LogStorage,
    _thread: Joined,
}

impl Log {
    fn open(path: &Path, cache: usize) -> Self {
        let runner = Runner::Threads(RaftThread::start(|| ()).unwrap());
        let (storage, thread) =
            LogStorage::start(open(path, "test", 1).unwrap(), cache, &runner, &Alarm::new()).unwrap();
        Self { storage, _thread: Joined(Some(thread)) }
    }

    fn close(self) {}

    async fn append(&mut self, entries: Vec<Entry>) {
        let (done, flushed) = <TypeConfig as openraft::type_config::TypeConfigExt>::oneshot();
        self.storage.append(entries.clone(), IOFlushed::signal(done)).await.unwrap();
        // Readable before it is on disk.
        let (first, last) = (entries[0].index(), entries[entries.len() - 1].index());
        assert_eq!(self.read(first, last + 1).await, entries);
        flushed.await.unwrap().unwrap();
    }

    async fn read(&mut self, start: u64, end: u64) -> Vec<Entry> {
        self.storage.get_log_reader().await.try_get_log_entries(start..end).await.unwrap()
    }

    async fn ends(&mut self) -> (Option<LogId>, Option<LogId>) {
        let state = self.storage.get_log_state().await.unwrap();
        (state.last_purged_log_id, state.last_log_id)
    }
}

#[tokio::test]
async fn votes_and_the_committed_index_survive() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path(), 1 << 20);
    assert_eq!(log.ends().await, (None, None));
    assert_eq!(log.storage.read_committed().await.unwrap(), None);
    let vote = Vote::new_committed(3, 2);
    log.storage.save_vote(&vote).await.unwrap();
    log.storage.save_committed(Some(id(3, 7))).await.unwrap();
    log.close();
    let mut log = Log::open(directory.path(), 1 << 20);
    assert_eq!(log.storage.get_log_reader().await.read_vote().await.unwrap(), Some(vote));
    assert_eq!(log.storage.read_committed().await.unwrap(), Some(id(3, 7)));
}

#[tokio::test]
async fn a_directory_belongs_to_one_member_of_one_cluster() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), "test", 1).unwrap());
    for (cluster, member) in [("test", 2), ("other", 1)] {
        let refused = open(directory.path(), cluster, member).err().unwrap().to_string();
        assert!(refused.contains("belongs to member 1 of cluster test"), "{refused}");
    }
    let opened = open(directory.path(), "test", 1).unwrap();
    let refused = open(directory.path(), "test", 1).err().unwrap().to_string();
    assert!(refused.contains("in use"), "{refused}");
    drop(opened);
    open(directory.path(), "test", 1).unwrap();
}

#[tokio::test]
async fn a_lagging_reader_gets_bounded_portions_from_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Log::open(directory.path(), 1000);
    let entries: Vec<Entry> = (0..20).map(|index| entry(1, index, 300_000)).collect();
    for entry in &entries {
        log.append(vec![entry.clone()]).await;
    }
    let mut reader = log.storage.get_log_reader().await;
    let mut next = 0;
    while next < 20 {
        let portion = reader.limited_get_log_entries(next, 20).await.unwrap();
        assert!((1..=5).contains(&portion.len()), "{}", portion.len());
        assert_eq!(portion, entries[next as usize..next as usize + portion.len()]);
        next += portion.len() as u64;
    }
}

/// What can happen to a log.
#[derive(Debug, Clone)]
enum Step {
    Append { entries: usize, size: usize },
    Truncate { back: u64 },
    Purge { part: u64 },
    Reopen,
}

#[tokio::test]
async fn purged_entries_are_never_replaced_by_later_ones() {
    let directory = tempfile::tempdir().unwrap();
    // A cache of nothing: what is read comes from disk.
    let mut log = Log::open(directory.path(), 0);
    log.append((0..10).map(|index| entry(1, index, 10)).collect()).await;
    log.storage.purge(id(1, 4)).await.unwrap();
    let mut reader = log.storage.get_log_reader().await;
    assert!(reader.limited_get_log_entries(3, 9).await.unwrap().is_empty());
    assert_eq!(reader.limited_get_log_entries(5, 7).await.unwrap().len(), 2);
    drop(reader);
    log.close();
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6usize, 1..2000usize).prop_map(|(entries, size)| Step::Append { entries, size }),
        2 => (0..8u64).prop_map(|back| Step::Truncate { back }),
        1 => (0..100u64).prop_map(|part| Step::Purge { part }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_log_holds_what_was_written(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            // A cache that holds a few entries: most reads cross its border.
            let mut log = Log::open(directory.path(), 4000);
            let mut model: Vec<Entry> = Vec::new();
            let mut purged: Option<LogId> = None;
            for (term, step) in steps.into_iter().enumerate() {
                let next = model.last().map(|e| e.log_id()).or(purged).map_or(0, |last| last.index() + 1);
                match step {
                    Step::Append { entries, size } => {
                        let new: Vec<Entry> =
                            (0..entries as u64).map(|n| entry(term as u64, next + n, size)).collect();
                        log.append(new.clone()).await;
                        model.extend(new);
                    }
                    Step::Truncate { back } => {
                        let keep = model.len().saturating_sub(back as usize);
                        model.truncate(keep);
                        let after = model.last().map(|e| e.log_id()).or(purged);
                        log.storage.truncate_after(after).await.unwrap();
                    }
                    Step::Purge { part } => {
                        let upto = model.len() * part as usize / 100;
                        if upto > 0 {
                            purged = model.drain(..upto).next_back().map(|e| e.log_id());
                            log.storage.purge(purged.unwrap()).await.unwrap();
                        }
                    }
                    Step::Reopen => {
                        log.close();
                        log = Log::open(directory.path(), 4000);
                    }
                }
                let last = model.last().map(|e| e.log_id()).or(purged);
                assert_eq!(log.ends().await, (purged, last));
                assert_eq!(log.read(0, u64::MAX).await, model);
                if let (Some(first), true) = (model.first(), model.len() > 2) {
                    let start = first.index() + 1;
                    let end = start + model.len() as u64 / 2;
                    assert_eq!(log.read(start, end).await, model[1..1 + model.len() / 2]);
                }
            }
        });
    }
}

#[test]
fn standard_leader_ids_are_used() {
    // One leader per term: two votes of one term for different members do not compare.
    type Id = <TypeConfig as RaftTypeConfig>::LeaderId;
    let of = |node| <Id as openraft::vote::RaftLeaderId>::new(1, node);
    assert_eq!(of(1).partial_cmp(&of(2)), None);
}
