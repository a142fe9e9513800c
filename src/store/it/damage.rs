//! Members whose files are damaged: they refuse to serve and say which file it is; wiped, they come back.

use crate::harness::{Cluster, content, put};
use raftsman_store::RaftStore;
use raftsman_store::border::{Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a directory whose names begin so, the largest name last.
fn files(directory: &Path, begin: &str, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(begin) && name.ends_with(end)
        })
        .collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, size: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(size).unwrap();
}

fn truncate(path: &Path) {
    cut(path, fs::metadata(path).unwrap().len() / 2);
}

/// Where the groups of a segment begin; its header is before.
const GROUPS: usize = 4096;

type Harm = (&'static str, fn(&Path));

const HARM: [Harm; 10] = [
    ("log/segment-", |root| flip(files(&root.join("log"), "segment-", "").first().unwrap(), GROUPS + 100)),
    ("log/segment-", |root| flip(files(&root.join("log"), "segment-", "").first().unwrap(), 7)),
    ("log/segment-", |root| truncate(files(&root.join("log"), "segment-", "").first().unwrap())),
    ("log/manifest", |root| fs::remove_file(files(&root.join("log"), "segment-", "").first().unwrap()).unwrap()),
    ("log/manifest", |root| fs::remove_file(root.join("log/manifest")).unwrap()),
    ("log/manifest", |root| flip(&root.join("log/manifest"), 20)),
    ("the log is gone", |root| fs::remove_dir_all(root.join("log")).unwrap()),
    ("the state is gone", |root| fs::remove_dir_all(root.join("state")).unwrap()),
    ("no file CURRENT", |root| fs::remove_file(root.join("state/CURRENT")).unwrap()),
    (".sst", |root| fs::remove_file(files(&root.join("state"), "", ".sst").first().unwrap()).unwrap()),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_member_refuses_to_serve_and_comes_back_wiped() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 64).await;
    let mut written = 0;
    let more: [Harm; 2] = [
        ("the state is damaged", |root| {
            let table = files(&root.join("state"), "", ".sst").pop().unwrap();
            flip(&table, 50);
        }),
        ("the state is damaged", |root| cut(&files(&root.join("state"), "MANIFEST-", "").pop().unwrap(), 20)),
    ];
    for (text, harm) in HARM.iter().chain(&more) {
        for n in 0..150 {
            written += 1;
            cluster.store(cluster.ids()[0]).propose(put(&format!("k{}", n % 50), &written.to_string())).await.unwrap();
        }
        let victim = cluster.follower().await;
        // So that its state is on disk and its log is purged.
        let store = cluster.store(victim);
        store.shutdown().await;
        drop(store);
        cluster.crash(victim).await;
        let root = cluster.directory(victim);
        harm(&root);
        let refused = RaftStore::open(cluster.config(victim)).await.err();
        let Some(StoreError::Storage(said)) = refused else {
            panic!("{text}: {refused:?}");
        };
        println!("{said}\n");
        assert!(said.contains(text) && said.contains(&*root.to_string_lossy()), "{text}: {said}");
        assert!(said.contains("damaged") && said.contains("To mend it"), "{text}: {said}");

        fs::remove_dir_all(&root).unwrap();
        cluster.run(victim).await;
        let expected = content(&cluster.store(cluster.leader().await).read().await.unwrap());
        assert_eq!(content(&cluster.store(victim).read().await.unwrap()), expected, "{text}");
    }
}

/// Without the end of its list of tables a state is an older one, which no checksum tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_lost_its_newest_tables_is_refused_or_catches_up() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 64).await;
    for n in 0..150 {
        let first = cluster.ids()[0];
        cluster.store(first).propose(put(&format!("k{}", n % 50), &n.to_string())).await.unwrap();
    }
    let victim = cluster.follower().await;
    let store = cluster.store(victim);
    store.shutdown().await;
    drop(store);
    cluster.crash(victim).await;
    let manifest = files(&cluster.directory(victim).join("state"), "MANIFEST-", "").pop().unwrap();
    let whole = fs::read(&manifest).unwrap();
    for size in (0..whole.len()).rev().step_by(whole.len() / 12) {
        fs::write(&manifest, &whole[..size]).unwrap();
        match RaftStore::open(cluster.config(victim)).await {
            Err(error) => {
                assert!(error.to_string().contains("To mend it"), "{size} bytes: {error}");
                continue;
            }
            Ok(opened) => {
                opened.shutdown().await;
                tokio::task::spawn_blocking(move || opened.crash()).await.unwrap();
            }
        }
        cluster.run(victim).await;
        let expected = content(&cluster.store(cluster.leader().await).read().await.unwrap());
        assert_eq!(content(&cluster.store(victim).read().await.unwrap()), expected, "{size} bytes");
        return;
    }
}
