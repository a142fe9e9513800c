//! Three members over loopback and mutual TLS.

use crate::harness::{Cluster, committed, content, create, key, put};
use raftsman_state::Outcome;
use raftsman_store::MASTERS;
use raftsman_store::border::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_through_any_member_are_read_on_all() {
    let cluster = Cluster::start(3, |_| {}).await;
    for id in cluster.ids() {
        let name = format!("through-{id}");
        let outcome = cluster.store(id).propose(create(&name, "x")).await.unwrap();
        assert!(committed(&outcome), "{outcome:?}");
        // Its own view holds it at once, everybody else's linearizable read does too.
        assert!(cluster.store(id).view().get(&key(&name)).is_some());
        for other in cluster.ids() {
            assert!(cluster.store(other).read().await.unwrap().get(&key(&name)).is_some());
        }
        let again = cluster.store(id).propose(create(&name, "x")).await.unwrap();
        assert!(matches!(again, Outcome::Failed { compare: 0, .. }), "{again:?}");
    }
    for id in cluster.ids() {
        cluster.ready(id).await;
        assert_eq!(cluster.store(id).status().members.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_member_serves_and_restarts() {
    let mut cluster = Cluster::start(1, |_| {}).await;
    for n in 0..50 {
        cluster.store(1).propose(put(&format!("k{}", n % 7), &n.to_string())).await.unwrap();
    }
    let before = content(&cluster.store(1).read().await.unwrap());
    cluster.crash(1).await;
    cluster.run(1).await;
    cluster.leader().await;
    assert_eq!(content(&cluster.store(1).read().await.unwrap()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_with_the_leader() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    for round in 0..3 {
        for n in 0..20 {
            let outcome = cluster.store(cluster.ids()[0]).propose(create(&format!("r{round}-{n}"), "x")).await.unwrap();
            assert!(committed(&outcome));
        }
        let leader = cluster.leader().await;
        let survivor = cluster.follower().await;
        let store = cluster.store(survivor);
        cluster.crash(leader).await;
        let crashed = Instant::now();
        assert!(committed(&store.propose(create(&format!("after-{round}"), "x")).await.unwrap()));
        println!("from the leader's end to the next acknowledged write: {:?}", crashed.elapsed());
        let view = store.read().await.unwrap();
        for n in 0..20 {
            assert!(view.get(&key(&format!("r{round}-{n}"))).is_some());
        }
        cluster.run(leader).await;
        cluster.leader().await;
        assert_eq!(content(&cluster.store(leader).read().await.unwrap()), content(&store.read().await.unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_write_takes_effect_once_whatever_becomes_of_the_leader() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let stop = Arc::new(AtomicBool::new(false));
    let leader = cluster.leader().await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let survivors: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
        let store = cluster.store(survivors[writer % 2]);
        let stop = stop.clone();
        writers.push(tokio::spawn(async move {
            let mut names = Vec::new();
            for n in 0.. {
                let name = format!("w{writer}-{n}");
                // Nobody else creates this name: a second copy that took effect would fail the compare.
                let outcome = store.propose(create(&name, "x")).await.unwrap();
                assert!(committed(&outcome), "{name}: {outcome:?}");
                names.push(name);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            names
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.crash(leader).await;
    let next = cluster.leader().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let mut total = 0;
    let mut names = Vec::new();
    for writer in writers {
        names.extend(writer.await.unwrap());
    }
    let view = cluster.store(next).read().await.unwrap();
    for name in &names {
        total += 1;
        assert!(view.get(&key(name)).is_some(), "{name} was acknowledged and is gone");
    }
    // One revision each: nothing was applied twice.
    assert_eq!(view.revision(), total);
    println!("{total} writes around the leader's end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_member_comes_back_by_a_snapshot() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 64).await;
    for n in 0..400 {
        cluster.store(1).propose(put(&format!("k{}", n % 50), &n.to_string())).await.unwrap();
    }
    let wiped = cluster.follower().await;
    cluster.crash(wiped).await;
    std::fs::remove_dir_all(cluster.directory(wiped)).unwrap();
    for n in 0..200 {
        let id = cluster.ids()[0];
        cluster.store(id).propose(put(&format!("k{}", n % 50), &n.to_string())).await.unwrap();
    }
    cluster.run(wiped).await;
    let leader = cluster.leader().await;
    let expected = content(&cluster.store(leader).read().await.unwrap());
    assert_eq!(content(&cluster.store(wiped).read().await.unwrap()), expected);
    // It counts again: with one of the others gone, it and the third go on.
    cluster.ready(wiped).await;
    let started = Instant::now();
    cluster.crash(leader).await;
    let outcome = cluster.store(wiped).propose(create("after", "x")).await.unwrap();
    assert!(committed(&outcome));
    println!("with the wiped member's vote after {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_restart_with_state_and_history() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 64).await;
    for n in 0..300 {
        cluster.store(1 + n % 3).propose(put(&format!("k{}", n % 9), &n.to_string())).await.unwrap();
    }
    let before = content(&cluster.store(1).read().await.unwrap());
    for id in cluster.ids() {
        cluster.crash(id).await;
    }
    for id in 1..=3 {
        cluster.run(id).await;
    }
    cluster.leader().await;
    for id in 1..=3 {
        assert_eq!(content(&cluster.store(id).read().await.unwrap()), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_hands_leadership_over() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let survivor = cluster.follower().await;
    let store = cluster.store(leader);
    let started = Instant::now();
    store.shutdown().await;
    assert!(committed(&cluster.store(survivor).propose(create("after", "x")).await.unwrap()));
    println!("shut down and written elsewhere after {:?}", started.elapsed());
    assert!(matches!(store.propose(create("late", "x")).await, Err(StoreError::Closed)));
    assert!(!store.health().borrow().ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_promised() {
    // While a lease lasts, reads are right.
    let mut cluster = Cluster::start(3, |config| config.lease_reads = false).await;
    let ids = cluster.ids();
    cluster.crash(ids[1]).await;
    cluster.crash(ids[2]).await;
    let store = cluster.store(ids[0]);
    let read = store.read().await;
    assert!(matches!(read, Err(StoreError::NoLeader(_))), "{read:?}", read = read.map(|v| v.revision()));
    let write = store.propose(create("lost", "x")).await;
    assert!(matches!(write, Err(StoreError::Unknown { .. } | StoreError::NoLeader(_))), "{write:?}");
    assert!(!store.health().borrow().ready);
    assert!(matches!(store.at_least(1 << 40, Duration::from_millis(10)).await, Err(StoreError::Behind { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_learn_nothing_and_change_nothing() {
    let cluster = Cluster::start(3, |_| {}).await;
    let term = cluster.store(1).status().term;
    for (id, organisation) in [("other", MASTERS), ("test", "raftsman:nodes")] {
        let stranger = cluster.stranger(id, organisation).await;
        // Refused when it asks what there is, it neither joins nor forms a cluster.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let status = stranger.status();
        assert_eq!((status.term, status.leader, status.last_log), (0, None, 0), "{id} {organisation}");
        tokio::task::spawn_blocking(move || stranger.crash()).await.unwrap();
        std::fs::remove_dir_all(cluster.directory(1).with_file_name("stranger")).unwrap();
    }
    assert_eq!(cluster.store(1).status().term, term);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_large_writes_is_refused_early_and_changes_no_leader() {
    let cluster = Cluster::start(3, |config| config.max_proposal_bytes = 8 << 20).await;
    let leader = cluster.leader().await;
    let term = cluster.store(leader).status().term;
    let text = "x".repeat(3 << 19);
    let (mut written, mut refused) = (0, 0);
    for _ in 0..4 {
        let mut storm = tokio::task::JoinSet::new();
        for writer in 0..24 {
            let (store, txn) = (cluster.store(1 + writer % 3), put(&format!("k{writer}"), &text));
            storm.spawn(async move { store.propose(txn).await });
        }
        while let Some(outcome) = storm.join_next().await {
            match outcome.unwrap() {
                Ok(outcome) => {
                    assert!(committed(&outcome), "{outcome:?}");
                    written += 1;
                }
                Err(StoreError::Overloaded(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    // Each member admits five of them at once, and was sent eight; the leader takes five of the others' ten.
    assert!(written >= 20 && refused > 0, "{written} written, {refused} refused");
    assert_eq!(cluster.store(leader).status().term, term, "the leader changed");
    // Nothing is left behind in any queue, and what happened was counted.
    let mut counted = 0;
    for id in 1..=3 {
        let metrics = cluster.store(id).metrics();
        let value = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}"));
            line.trim().parse::<u64>().unwrap()
        };
        for queue in ["proposals", "forwarded"] {
            assert_eq!(value(&format!("raftsman_store_queue_bytes{{queue=\"{queue}\"}}")), 0, "{queue} of {id}");
        }
        for queue in ["proposals", "forwarded"] {
            counted += value(&format!("raftsman_store_requests_refused_total{{queue=\"{queue}\"}}"));
        }
        assert!(value("raftsman_store_proposal_duration_seconds_count") > 0);
        assert!(value("raftsman_raft_entries_applied_total") >= 20);
    }
    assert!(counted >= refused, "{counted} counted, {refused} seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_hold_what_was_acknowledged_with_leases_and_without() {
    for leases in [true, false] {
        let settings: fn(&mut raftsman_store::StoreConfig) =
            if leases { |config| config.lease_reads = true } else { |config| config.lease_reads = false };
        let cluster = Cluster::start(3, settings).await;
        let leader = cluster.leader().await;
        for n in 0..60u64 {
            let (writer, reader) = (1 + n % 3, 1 + (n / 3) % 3);
            let name = format!("k{n}");
            assert!(committed(&cluster.store(writer).propose(create(&name, "x")).await.unwrap()));
            let view = cluster.store(reader).read().await.unwrap();
            assert!(view.get(&key(&name)).is_some(), "{name} by {writer} is not seen by {reader}, leases: {leases}");
        }
        // A leader that asks nobody counts no rounds but those of its first moments.
        let metrics = cluster.store(leader).metrics();
        let rounds = metrics.lines().find_map(|line| line.strip_prefix("raftsman_store_read_rounds_total "));
        let rounds: u64 = rounds.unwrap().parse().unwrap();
        assert!(leases || rounds >= 20, "{rounds} rounds without leases");
    }
}
