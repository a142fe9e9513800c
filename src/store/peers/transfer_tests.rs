//! Snapshots from one data directory to another, with breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::disk::{Directory, SnapshotDir};
use crate::files::RealTree;
use crate::peers::receive::Incoming;
use crate::peers::send;
use crate::raft::types::{Snapshot, SnapshotMeta, Vote};
use futures::{StreamExt, stream};
use raftsman_proto::v1::SnapshotChunk;
use std::path::Path;
use std::sync::Arc;

struct Pair {
    _directories: (tempfile::TempDir, tempfile::TempDir),
    from: Directory,
    incoming: Incoming,
}

const UNBOUNDED: u64 = u64::MAX;

fn pair() -> Pair {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |path: &Path| Directory::open(Arc::new(RealTree::open(path).unwrap())).unwrap();
    let incoming = Incoming::new(Arc::new(open(to.path())));
    Pair { from: open(from.path()), incoming, _directories: (from, to) }
}

/// A snapshot with such files, of bytes that depend on name and place.
fn snapshot(directory: &Directory, files: &[(&str, usize, u8)]) -> Snapshot {
    let made = directory.new_snapshot();
    let place = made.open().unwrap();
    for (name, size, seed) in files {
        let bytes: Vec<u8> = (0..*size).map(|at| (at / 1000) as u8 ^ (at % 251) as u8 ^ seed).collect();
        place.create(name).unwrap().write_at(&bytes, 0).unwrap();
    }
    Snapshot { meta: SnapshotMeta::default(), snapshot: made }
}

fn content(directory: &SnapshotDir) -> Vec<(String, Vec<u8>)> {
    let files = directory.open().unwrap();
    let read = |(name, size): (String, u64)| {
        let mut bytes = vec![0; size as usize];
        files.open(&name).unwrap().read_at(&mut bytes, 0).unwrap();
        (name, bytes)
    };
    directory.files().unwrap().into_iter().map(read).collect()
}

impl Pair {
    /// The chunks of an attempt.
    async fn chunks(&self, snapshot: &Snapshot, rate: u64) -> Vec<SnapshotChunk> {
        let offered = send::offer(&snapshot.snapshot).unwrap();
        let held = self.incoming.held(offered.clone()).await.unwrap();
        let files = send::resume(&snapshot.snapshot, &offered, &held).unwrap();
        send::snapshot(&Vote::new(1, 1), snapshot, files, rate).unwrap().0.collect().await
    }

    async fn take(&self, chunks: Vec<SnapshotChunk>) -> std::io::Result<Snapshot> {
        self.incoming.take(stream::iter(chunks)).await.map(|(_, snapshot)| snapshot)
    }
}

fn bytes(chunks: &[SnapshotChunk]) -> usize {
    chunks.iter().map(|chunk| chunk.data.len()).sum()
}

const FILES: &[(&str, usize, u8)] =
    &[("000001.sst", 1_400_000, 1), ("000002.sst", 0, 2), ("CURRENT", 16, 3), ("z.sst", 900_000, 4)];

#[tokio::test]
async fn it_goes_on_wherever_it_broke() {
    let whole = {
        let pair = pair();
        let sent = snapshot(&pair.from, FILES);
        pair.chunks(&sent, UNBOUNDED).await.len()
    };
    for broken in 0..whole {
        let pair = pair();
        let sent = snapshot(&pair.from, FILES);
        let mut first = pair.chunks(&sent, UNBOUNDED).await;
        first.truncate(broken);
        let had = bytes(&first);
        assert!(pair.take(first).await.is_err(), "cut before chunk {broken}");
        let second = pair.chunks(&sent, UNBOUNDED).await;
        assert_eq!(bytes(&second), 2_300_016 - had, "cut before chunk {broken}");
        let arrived = pair.take(second).await.unwrap();
        assert_eq!(content(&arrived.snapshot), content(&sent.snapshot), "cut before chunk {broken}");
    }
}

#[tokio::test]
async fn a_newer_snapshot_takes_over_the_files_that_it_shares() {
    let pair = pair();
    let old = snapshot(&pair.from, FILES);
    let mut first = pair.chunks(&old, UNBOUNDED).await;
    first.pop();
    assert!(pair.take(first).await.is_err());
    // One table is the same, one has the same name and other bytes, one is gone.
    let newer = snapshot(&pair.from, &[("000001.sst", 1_400_000, 1), ("CURRENT", 16, 9), ("new.sst", 5000, 4)]);
    let second = pair.chunks(&newer, UNBOUNDED).await;
    assert_eq!(bytes(&second), 5016);
    let arrived = pair.take(second).await.unwrap();
    assert_eq!(content(&arrived.snapshot), content(&newer.snapshot));
}

#[tokio::test]
async fn damage_on_the_way_or_on_the_disk_is_seen_and_mended_by_sending_again() {
    let pair = pair();
    let sent = snapshot(&pair.from, FILES);
    let mut first = pair.chunks(&sent, UNBOUNDED).await;
    let mut data = first[2].data.to_vec();
    data[77] ^= 1;
    first[2].data = data.into();
    assert!(pair.take(first).await.unwrap_err().to_string().contains("chunk"));
    // What is here already rots before the next attempt.
    let mut second = pair.chunks(&sent, UNBOUNDED).await;
    second.truncate(3);
    assert!(pair.take(second).await.is_err());
    let path = pair._directories.1.path().join("incoming/000001.sst");
    let mut rotten = std::fs::read(&path).unwrap();
    rotten[9] ^= 1;
    std::fs::write(&path, rotten).unwrap();
    let third = pair.chunks(&sent, UNBOUNDED).await;
    let arrived = pair.take(third).await.unwrap();
    assert_eq!(content(&arrived.snapshot), content(&sent.snapshot));
}

#[tokio::test]
async fn a_newer_stream_ends_the_one_before() {
    let pair = pair();
    let sent = snapshot(&pair.from, FILES);
    let chunks = pair.chunks(&sent, UNBOUNDED).await;
    // It stops in the middle without ending.
    let stalled = stream::iter(chunks.clone().into_iter().take(2)).chain(stream::pending());
    let (old, new) = tokio::join!(pair.incoming.take(Box::pin(stalled)), async {
        tokio::task::yield_now().await;
        let chunks = pair.chunks(&sent, UNBOUNDED).await;
        pair.take(chunks).await
    });
    assert!(old.unwrap_err().to_string().contains("another one"));
    assert_eq!(content(&new.unwrap().snapshot), content(&sent.snapshot));
}

#[tokio::test(start_paused = true)]
async fn it_is_sent_no_faster_than_its_rate() {
    let pair = pair();
    let sent = snapshot(&pair.from, &[("a.sst", 4 << 20, 1)]);
    let begun = tokio::time::Instant::now();
    pair.chunks(&sent, 1 << 20).await;
    // The last chunk need not be waited for.
    let took = begun.elapsed();
    assert!(took >= std::time::Duration::from_millis(3400) && took < std::time::Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_broken_transfer_left_is_removed_once_it_is_old() {
    let pair = pair();
    let sent = snapshot(&pair.from, FILES);
    let left = pair._directories.1.path().join("incoming");
    // Of an earlier life of the process.
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("000009.sst"), "x").unwrap();
    for _ in 0..2 {
        pair.incoming.tidy().await.unwrap();
        assert!(left.exists(), "somebody may go on with it");
        tokio::time::advance(std::time::Duration::from_secs(61)).await;
        pair.incoming.tidy().await.unwrap();
        assert!(!left.exists());
        let mut chunks = pair.chunks(&sent, UNBOUNDED).await;
        chunks.pop();
        assert!(pair.take(chunks).await.is_err());
    }
    // Nothing is taken away from a stream that is slow.
    let chunks = pair.chunks(&sent, UNBOUNDED).await;
    let stalled = stream::iter(chunks.into_iter().take(1)).chain(stream::pending());
    tokio::select! {
        biased;
        taken = pair.incoming.take(Box::pin(stalled)) => panic!("{taken:?}"),
        () = async {
            tokio::time::sleep(std::time::Duration::from_secs(61)).await;
            pair.incoming.tidy().await.unwrap();
            assert!(left.exists());
        } => {}
    }
}
