//! Members of different programs in one cluster, as while it is upgraded.

use crate::harness::{Cluster, committed, create, key};
use raftsman_state::level;
use raftsman_store::RaftStore;
use raftsman_store::border::{Store, StoreError};
use std::time::Duration;

/// Each member says what its program can do, and the leader raises the level if all of them have said enough.
async fn say(cluster: &Cluster, levels: [u32; 3]) -> u32 {
    for (id, level) in (1..).zip(levels) {
        let view = cluster.store(id).read().await.unwrap();
        if let Some(txn) = level::report(&view, id, level, "0.0.0") {
            assert!(committed(&cluster.store(id).propose(txn).await.unwrap()));
        }
    }
    let leader = cluster.leader().await;
    let store = cluster.store(leader);
    let view = store.read().await.unwrap();
    let term = store.leadership().borrow().leading.unwrap();
    if let Some(txn) = level::raise(&view, &[1, 2, 3], term) {
        assert!(committed(&store.propose(txn).await.unwrap()));
    }
    level::cluster_level(&store.read().await.unwrap())
}

async fn serves(cluster: &Cluster, round: &str) {
    for id in 1..=3 {
        let name = format!("{round}-{id}");
        assert!(committed(&cluster.store(id).propose(create(&name, "x")).await.unwrap()));
        for other in 1..=3 {
            assert!(cluster.store(other).read().await.unwrap().get(&key(&name)).is_some(), "{name} at {other}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_cluster_serves_rises_when_all_are_new_and_takes_no_old_member_back() {
    let mut cluster = Cluster::start(3, |config| config.level = 1).await;
    assert_eq!(say(&cluster, [1, 1, 1]).await, 1);
    // One after the other is upgraded.
    cluster.settings = |config| config.level = 2;
    for (new, levels) in [(2, [1, 2, 1]), (3, [1, 2, 2])] {
        cluster.crash(new).await;
        cluster.run(new).await;
        cluster.ready(new).await;
        assert_eq!(say(&cluster, levels).await, 1, "it rose with an old member in the cluster");
        serves(&cluster, &format!("with-{new}")).await;
    }
    // An old one may still come back as it was.
    cluster.settings = |config| config.level = 1;
    cluster.crash(1).await;
    cluster.run(1).await;
    cluster.ready(1).await;
    serves(&cluster, "old-again").await;
    cluster.settings = |config| config.level = 2;
    cluster.crash(1).await;
    cluster.run(1).await;
    cluster.ready(1).await;
    assert_eq!(say(&cluster, [2, 2, 2]).await, 2);
    serves(&cluster, "all-new").await;

    // From here on an old program is refused: it could not read what is stored.
    let old = 3;
    let store = cluster.store(old);
    store.shutdown().await;
    drop(store);
    cluster.crash(old).await;
    cluster.settings = |config| config.level = 1;
    let refused = RaftStore::open(cluster.config(old)).await.err();
    assert!(matches!(refused, Some(StoreError::TooOld { needed: 2, own: 1 })), "{refused:?}");
    cluster.settings = |config| config.level = 2;
    cluster.run(old).await;
    cluster.ready(old).await;
    serves(&cluster, "back").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_ends_at_the_entry_that_raises_the_level_and_applies_nothing_after_it() {
    let mut cluster = Cluster::start(1, |config| config.level = 1).await;
    let store = cluster.store(1);
    let report = level::report(&store.read().await.unwrap(), 1, 2, "0.0.0").unwrap();
    assert!(committed(&store.propose(report).await.unwrap()));
    let term = store.leadership().borrow().leading.unwrap();
    let raise = level::raise(&store.read().await.unwrap(), &[1], term).unwrap();
    assert!(store.propose(raise).await.is_err());
    assert!(store.propose(create("later", "x")).await.is_err());
    drop(store);
    // It ends again at the same entry when it is started again, until it is replaced.
    for again in [false, true] {
        if again {
            cluster.crash(1).await;
            cluster.run(1).await;
        }
        let store = cluster.store(1);
        let mut ended = store.ended();
        let ended = tokio::time::timeout(Duration::from_secs(20), ended.wait_for(Option::is_some)).await;
        let reason = ended.unwrap().unwrap().clone();
        assert!(matches!(reason, Some(StoreError::TooOld { needed: 2, own: 1 })), "{reason:?}");
        assert_eq!(level::cluster_level(&store.view()), 0, "it shows what it does not understand");
    }
    cluster.settings = |config| config.level = 2;
    cluster.crash(1).await;
    cluster.run(1).await;
    cluster.ready(1).await;
    assert_eq!(level::cluster_level(&cluster.store(1).read().await.unwrap()), 2);
}
