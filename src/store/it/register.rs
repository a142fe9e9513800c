//! Members that lose their disks after the cluster has become another one than their configuration says.

use crate::harness::{Cluster, committed, create, key};
use raftsman_store::border::{Change, Store};
use raftsman_store::{Register, StoreConfig};
use std::time::Duration;

/// Beside the data directory, as a host's keys are.
fn beside(config: &mut StoreConfig) {
    config.register = Some(Register::open(&config.data_dir.with_extension("pki")).unwrap());
}

/// Waits until a member has written down that these are members.
async fn written(cluster: &Cluster, id: u64, members: &[u64]) {
    let file = cluster.directory(id).with_extension("pki").join("masters.json");
    let read = async || -> Vec<u64> {
        let kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap_or_default()).unwrap_or_default();
        kept["masters"].as_array().into_iter().flatten().filter_map(|master| master["id"].as_u64()).collect()
    };
    for _ in 0..3_000 {
        if read().await == members {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("member {id} has written down {:?}", read().await);
}

/// A member's data is lost; it starts again with the configuration of its first start.
async fn loses_its_disk(cluster: &mut Cluster, id: u64, configured: usize) {
    cluster.crash(id).await;
    std::fs::remove_dir_all(cluster.directory(id)).unwrap();
    cluster.known = configured;
    cluster.run(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founder_without_its_disk_forms_no_second_cluster_beside_those_that_joined_it() {
    let mut cluster = Cluster::start(1, beside).await;
    cluster.join(None).await;
    cluster.join(None).await;
    cluster.settled(&[1, 2, 3]).await;
    assert!(committed(&cluster.store(1).propose(create("before", "x")).await.unwrap()));
    written(&cluster, 1, &[1, 2, 3]).await;
    // What made the third one a voter is over by then: the two that stay are a majority.
    cluster.change(Change::Transfer { to: Some(2) }).await;
    loses_its_disk(&mut cluster, 1, 1).await;
    cluster.ready(1).await;
    assert!(cluster.store(1).read().await.unwrap().get(&key("before")).is_some());
    cluster.settled(&[1, 2, 3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_founder_without_its_disk_finds_those_that_took_the_others_places() {
    let mut cluster = Cluster::start(3, beside).await;
    for old in [2, 3] {
        cluster.join(Some(old)).await;
        let mut members = cluster.store(1).members();
        let gone = members.wait_for(|members| members.get(old).is_none());
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap().unwrap();
        cluster.crash(old).await;
    }
    cluster.settled(&[1, 4, 5]).await;
    assert!(committed(&cluster.store(4).propose(create("before", "x")).await.unwrap()));
    written(&cluster, 1, &[1, 4, 5]).await;
    cluster.change(Change::Transfer { to: Some(4) }).await;
    loses_its_disk(&mut cluster, 1, 3).await;
    cluster.ready(1).await;
    assert!(cluster.store(1).read().await.unwrap().get(&key("before")).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clusters_formed_of_one_configuration_never_mix() {
    let mut cluster = Cluster::start(1, |_| {}).await;
    cluster.join(None).await;
    cluster.join(None).await;
    cluster.settled(&[1, 2, 3]).await;
    cluster.change(Change::Transfer { to: Some(2) }).await;
    assert!(committed(&cluster.store(2).propose(create("first", "x")).await.unwrap()));
    let lineage = |cluster: &Cluster| std::fs::read(cluster.directory(1).join("lineage/lineage")).unwrap();
    let first = lineage(&cluster);
    // Nothing was written down: it takes itself for the whole cluster.
    loses_its_disk(&mut cluster, 1, 1).await;
    cluster.ready(1).await;
    assert_ne!(lineage(&cluster), first);
    assert!(committed(&cluster.store(1).propose(create("second", "x")).await.unwrap()));
    for n in 0..20 {
        assert!(committed(&cluster.store(2).propose(create(&format!("k{n}"), "x")).await.unwrap()));
    }
    for id in [2, 3] {
        let view = cluster.store(id).read().await.unwrap();
        assert!(view.get(&key("first")).is_some() && view.get(&key("second")).is_none(), "{id}");
    }
    let view = cluster.store(1).read().await.unwrap();
    assert!(view.get(&key("first")).is_none() && view.get(&key("second")).is_some());
}
