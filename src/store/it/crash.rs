//! A member killed by SIGKILL at any moment loses nothing that it acknowledged.
//!
//! `RAFTSMAN_TEST_KILL_SECONDS` sets for how long this is tried (20 seconds if absent).

use crate::harness::{authority, certificate, committed, create, key};
use raftsman_store::border::Store;
use raftsman_store::{MemberAddress, RaftStore, StoreConfig};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIRECTORY: &str = "RAFTSMAN_TEST_CRASH_DIRECTORY";
const SECONDS: &str = "RAFTSMAN_TEST_KILL_SECONDS";
const ROUND: &str = "RAFTSMAN_TEST_CRASH_ROUND";

async fn open(directory: &Path) -> Arc<RaftStore> {
    let tls = certificate(&authority(), "m1");
    let alone = MemberAddress { id: 1, name: "m1".into(), address: "127.0.0.1:1".parse().unwrap() };
    let mut config = StoreConfig::new("crash", 1, vec![alone], directory, tls);
    config.snapshot_every = 64;
    RaftStore::open(config).await.unwrap()
}

/// Not a test of its own: the process that is killed. It prints each name once it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_killed() {
    let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else {
        return;
    };
    let store = open(Path::new(&directory)).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (store, round) = (store.clone(), round.clone());
        writers.push(tokio::spawn(async move {
            for n in 0.. {
                let name = format!("r{round}-w{writer}-{n}");
                assert!(committed(&store.propose(create(&name, "x")).await.unwrap()));
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {name}").unwrap();
                out.flush().unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Random numbers from a seed (splitmix64).
fn roll(state: &mut u64, sides: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % sides
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_keeps_what_it_acknowledged() {
    let seconds = std::env::var(SECONDS).map_or(20, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    let mut dice = seconds;
    let mut kills = 0u64;
    while Instant::now() < until {
        kills += 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, kills.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (first, began) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut names = Vec::new();
            for line in out.lines() {
                let Ok(line) = line else { break };
                // The test harness prints before the first line too.
                if let Some((_, name)) = line.split_once("ack ") {
                    names.push(name.to_owned());
                    let _ = first.send(());
                }
            }
            names
        });
        // One in four while it opens, the others while it writes.
        if !kills.is_multiple_of(4) {
            began.recv_timeout(Duration::from_secs(30)).expect("nothing was acknowledged");
        }
        std::thread::sleep(Duration::from_micros(roll(&mut dice, 150_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(reader.join().unwrap());
        if !kills.is_multiple_of(5) {
            continue;
        }
        let store = open(directory.path()).await;
        let view = store.read().await.unwrap();
        for name in &acknowledged {
            assert!(view.get(&key(name)).is_some(), "{name} was acknowledged and is gone");
        }
        // Nothing twice, and no hole: as many objects as revisions.
        let held = view.list(&key("x").resource, None).count() as u64;
        assert_eq!(held, view.revision());
        store.shutdown().await;
    }
    println!("{} acknowledged writes, {kills} kills", acknowledged.len());
    assert!(!acknowledged.is_empty());
}
