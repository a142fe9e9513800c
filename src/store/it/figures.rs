//! What `/metrics` shows of a cluster's life, and what reads and writes cost.

use crate::harness::{Cluster, committed, create, key, put};
use raftsman_store::border::{Store, StoreError};
use std::time::{Duration, Instant};

/// One value of a member's metrics, by its name with labels.
fn value(cluster: &Cluster, member: u64, name: &str) -> u64 {
    let metrics = cluster.store(member).metrics();
    let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap()
}

/// Waits until something is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_of_writes_snapshots_lag_and_elections() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 64).await;
    let leader = cluster.leader().await;
    for n in 0..200 {
        cluster.store(leader).propose(put(&format!("k{}", n % 20), "x")).await.unwrap();
    }
    for id in 1..=3 {
        let applied = || value(&cluster, id, "raftsman_raft_entries_applied_total") >= 200;
        until("a member does not apply", applied).await;
        for histogram in [
            "raftsman_raft_log_fsync_duration_seconds_count",
            "raftsman_raft_commit_duration_seconds_count",
            "raftsman_raft_apply_duration_seconds_count",
            "raftsman_store_snapshot_duration_seconds_count",
        ] {
            until(histogram, || value(&cluster, id, histogram) > 0).await;
        }
        for directory in ["log", "state", "snapshots"] {
            let bytes = value(&cluster, id, &format!("raftsman_store_disk_bytes{{directory=\"{directory}\"}}"));
            assert!(bytes > 0, "no bytes in {directory} of {id}");
        }
        assert_eq!(value(&cluster, id, "raftsman_raft_is_leader"), u64::from(id == leader));
    }

    let stopped = cluster.follower().await;
    let other = cluster.ids().into_iter().find(|id| *id != leader && *id != stopped).unwrap();
    cluster.crash(stopped).await;
    for n in 0..50 {
        cluster.store(leader).propose(put(&format!("k{}", n % 20), "y")).await.unwrap();
    }
    let lag =
        |member: u64| value(&cluster, leader, &format!("raftsman_raft_follower_lag_entries{{member=\"{member}\"}}"));
    until("the one that runs lags", || lag(other) == 0).await;
    assert!(lag(stopped) >= 50, "{}", lag(stopped));
    cluster.run(stopped).await;
    cluster.ready(stopped).await;
    let lag =
        |member: u64| value(&cluster, leader, &format!("raftsman_raft_follower_lag_entries{{member=\"{member}\"}}"));
    until("it does not catch up", || lag(stopped) == 0).await;

    let name = "raftsman_raft_leader_changes_total";
    let (before, term) = (value(&cluster, other, name), value(&cluster, other, "raftsman_raft_term"));
    cluster.crash(leader).await;
    let next = cluster.leader().await;
    until("the change of the leader is not counted", || value(&cluster, other, name) > before).await;
    assert!(value(&cluster, next, "raftsman_raft_term") > term);
    assert_eq!(value(&cluster, next, "raftsman_raft_is_leader"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_wait_at_the_same_time_share_rounds() {
    let cluster = Cluster::start(3, |config| config.lease_reads = false).await;
    let follower = cluster.follower().await;
    let store = cluster.store(follower);
    assert!(committed(&store.propose(create("a", "x")).await.unwrap()));
    let rounds = || value(&cluster, follower, "raftsman_store_read_rounds_total");
    let before = rounds();
    for round in 0..10 {
        let reads = (0..64).map(|_| store.read());
        for view in futures::future::join_all(reads).await {
            assert!(view.unwrap().get(&key("a")).is_some(), "round {round}");
        }
    }
    let taken = rounds() - before;
    // The first of each 64 may go alone; and the member asks for its own health once a second.
    assert!((10..=40).contains(&taken), "{taken} rounds for 640 reads");
    println!("{taken} rounds for 640 reads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_no_message_could_carry_is_refused_and_the_cluster_goes_on() {
    let cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    for (id, name) in [(leader, "led"), (follower, "forwarded")] {
        let begun = Instant::now();
        let refused = cluster.store(id).propose(put(name, &"x".repeat((8 << 20) + 1))).await.err().unwrap();
        let StoreError::Overloaded(text) = &refused else { panic!("{refused}") };
        assert!(text.contains("8388608") && text.contains("divide it"), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(2), "it was tried again and again");
        // One that fits reaches everybody, and so does what comes after it.
        assert!(committed(&cluster.store(id).propose(put(name, &"x".repeat(15 << 19))).await.unwrap()));
        assert!(committed(&cluster.store(id).propose(put(&format!("{name}-after"), "x")).await.unwrap()));
        for other in 1..=3 {
            let view = cluster.store(other).read().await.unwrap();
            assert!(view.get(&key(name)).is_some() && view.get(&key(&format!("{name}-after"))).is_some());
        }
    }
}
