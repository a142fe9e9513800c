//! A member on a disk that fills up or turns read-only: it ends with a clear error, and has everything afterwards that it
//! acknowledged. Needs root: small file systems are mounted, each in a mount namespace of its own.

use crate::harness::{authority, certificate, committed, create, key};
use raftsman_store::border::{Store, StoreError};
use raftsman_store::{MemberAddress, RaftStore, StoreConfig};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const MOUNT: &str = "RAFTSMAN_TEST_FAULTS_MOUNT";

/// Runs the test of this name again where `script` has mounted something at `$MOUNT`; there this gives the directory.
fn mounted(test: &str, script: &str) -> Option<PathBuf> {
    if let Ok(mount) = std::env::var(MOUNT) {
        return Some(mount.into());
    }
    let root = tempfile::tempdir().unwrap();
    let mount = root.path().join("mount");
    std::fs::create_dir(&mount).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-ec"])
        .arg(format!("{script}\nexec \"$0\" --exact {}::{test} --nocapture", file_module()))
        .arg(std::env::current_exe().unwrap())
        .env("MOUNT", &mount)
        .env("IMAGE", root.path().join("image"))
        .env(MOUNT, &mount)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Of a name that no test has none runs, and that succeeds.
    let ran = output.status.success() && out.contains("1 passed");
    assert!(ran, "{test}, where the file system is: {}\n{out}\n{err}", output.status);
    println!("{out}");
    None
}

/// This module as the test harness names it: without the crate.
fn file_module() -> &'static str {
    module_path!().split_once("::").map_or("", |(_, module)| module)
}

async fn open(directory: &Path, snapshot_every: u64) -> Arc<RaftStore> {
    let tls = certificate(&authority(), "m1");
    let alone = MemberAddress { id: 1, name: "m1".into(), address: "127.0.0.1:1".parse().unwrap() };
    let mut config = StoreConfig::new("faults", 1, vec![alone], directory.join("data"), tls);
    config.snapshot_every = snapshot_every;
    RaftStore::open(config).await.unwrap()
}

/// Writes until the store ends, and says why it did.
async fn write_until_ended(store: &RaftStore, names: &mut Vec<String>, size: usize) -> String {
    let mut ended = store.ended();
    let text = "x".repeat(size);
    for _ in 0..4000 {
        let name = format!("n{}", names.len());
        match store.propose(create(&name, &text)).await {
            Ok(outcome) => {
                assert!(committed(&outcome));
                names.push(name);
            }
            Err(_) => break,
        }
    }
    let reason = tokio::time::timeout(Duration::from_secs(10), ended.wait_for(Option::is_some)).await;
    let reason = reason.expect("the member goes on").unwrap().clone();
    let Some(StoreError::Storage(reason)) = reason else {
        panic!("it ended otherwise: {reason:?}");
    };
    let health = store.health().borrow().clone();
    assert!(!health.ready && health.reason.contains(&reason), "{health:?}");
    assert!(matches!(store.read().await, Err(StoreError::Storage(_))));
    assert!(matches!(store.propose(create("late", "x")).await, Err(StoreError::Storage(_))));
    println!("after {} writes: {reason}", names.len());
    reason
}

async fn has_all(store: &RaftStore, names: &[String]) {
    let view = store.read().await.unwrap();
    for name in names {
        assert!(view.get(&key(name)).is_some(), "{name} was acknowledged and is gone");
    }
}

/// A file that takes all the space that is left.
fn fill(directory: &Path) -> PathBuf {
    let path = directory.join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    for size in [1 << 20, 4096] {
        let piece = vec![1; size];
        while file.write_all(&piece).is_ok() {}
    }
    path
}

async fn full(directory: &Path, snapshot_every: u64, size: usize) {
    let mut names = Vec::new();
    let store = open(directory, snapshot_every).await;
    for n in 0..100 {
        let name = format!("n{n}");
        assert!(committed(&store.propose(create(&name, "x")).await.unwrap()));
        names.push(name);
    }
    let ballast = fill(directory);
    let reason = write_until_ended(&store, &mut names, size).await;
    assert!(reason.contains("No space left on device"), "{reason}");
    store.shutdown().await;
    drop(store);
    std::fs::remove_file(ballast).unwrap();
    let store = open(directory, snapshot_every).await;
    has_all(&store, &names).await;
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_member_that_cannot_log() {
    let test = "a_full_disk_ends_the_member_that_cannot_log";
    if let Some(directory) = mounted(test, "mount -t tmpfs -o size=200m none \"$MOUNT\"") {
        full(&directory, 20_000, 64 << 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_member_that_cannot_keep_its_state() {
    let test = "a_full_disk_ends_the_member_that_cannot_keep_its_state";
    if let Some(directory) = mounted(test, "mount -t tmpfs -o size=120m none \"$MOUNT\"") {
        full(&directory, 64, 8 << 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_ends_the_member() {
    let script = "truncate -s 200m \"$IMAGE\"\nmkfs.ext4 -q -m0 \"$IMAGE\"\nmount -o loop,errors=remount-ro \"$IMAGE\" \"$MOUNT\"";
    let Some(directory) = mounted("a_read_only_disk_ends_the_member", script) else { return };
    let mut names = Vec::new();
    let store = open(&directory, 20_000).await;
    for n in 0..100 {
        let name = format!("n{n}");
        assert!(committed(&store.propose(create(&name, "x")).await.unwrap()));
        names.push(name);
    }
    shell("echo 1 > /sys/fs/ext4/$(basename $(findmnt -n -o SOURCE \"$MOUNT\"))/trigger_fs_error");
    let reason = write_until_ended(&store, &mut names, 2048).await;
    assert!(reason.contains("Read-only file system") || reason.contains("Input/output error"), "{reason}");
    store.shutdown().await;
    drop(store);
    shell("umount \"$MOUNT\" && mount -o loop \"$IMAGE\" \"$MOUNT\"");
    let store = open(&directory, 20_000).await;
    has_all(&store, &names).await;
    store.shutdown().await;
}

fn shell(script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).status().unwrap().success(), "{script}");
}
