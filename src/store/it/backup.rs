//! Backups restored into new clusters, and a cluster made of one survivor.

use crate::harness::{Cluster, committed, content, create, key, put};
use raftsman_backup::{Manifest, Reader, write_view};
use raftsman_state::Op;
use raftsman_state::{Outcome, Resource, Txn, View};
use raftsman_store::border::{Store, StoreError};
use raftsman_store::{Recovery, restore};
use std::time::Duration;

/// What clients see.
fn objects(view: &View) -> Vec<String> {
    view.tables()
        .filter(|(resource, _)| resource.group() != "raftsman.io")
        .flat_map(|(_, table)| table.list(None, None))
        .map(|object| format!("{object:?} {}", String::from_utf8_lossy(&object.json)))
        .collect()
}

fn saved(view: &View) -> Vec<u8> {
    write_view(Vec::new(), Manifest::default(), view, &[], None).unwrap().0
}

async fn crash_all(cluster: &mut Cluster) {
    for id in cluster.ids() {
        cluster.crash(id).await;
    }
}

fn wipe(cluster: &Cluster, id: u64) {
    std::fs::remove_dir_all(cluster.directory(id)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_cluster_holds_everything_far_ahead_and_forgets_how_it_came() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    for n in 0..300 {
        cluster.store(1 + n % 3).propose(put(&format!("k{}", n % 40), &n.to_string())).await.unwrap();
    }
    let delete = Txn { ops: vec![Op::Delete { key: key("k7") }], ..Txn::default() };
    cluster.store(1).propose(delete).await.unwrap();
    let before = cluster.store(2).read().await.unwrap();
    let file = saved(&before);
    // What comes after the backup is lost with the cluster, and clients have seen it.
    cluster.store(1).propose(create("later", "x")).await.unwrap();
    crash_all(&mut cluster).await;

    let refused = restore(&cluster.config(1), &mut Reader::open(&file[..], None).unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains("holds data already"));
    for id in 1..=3 {
        wipe(&cluster, id);
    }
    let mut broken = file.clone();
    let at = broken.len() - 60;
    broken[at] ^= 1;
    let refused = restore(&cluster.config(1), &mut Reader::open(&broken[..], None).unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains("damaged"));
    assert!(!cluster.directory(1).exists());
    assert_eq!(std::fs::read_dir(cluster.directory(1).parent().unwrap()).unwrap().count(), 0);

    let restored = restore(&cluster.config(1), &mut Reader::open(&file[..], None).unwrap()).await.unwrap();
    assert_eq!(restored.objects, 39);
    assert!(restored.revision > before.revision() + 1_000_000_000_000 && restored.epoch > before.epoch());
    for id in 1..=3 {
        cluster.run(id).await;
    }
    for id in 1..=3 {
        let view = cluster.store(id).read().await.unwrap();
        assert_eq!(objects(&view), objects(&before), "member {id}");
        assert_eq!((view.revision(), view.epoch()), (restored.revision, restored.epoch));
        for old in [before.revision(), before.revision() + 1, restored.revision - 1] {
            let resource = key("x").resource;
            assert!(view.changes_after(&resource, old).is_err() && view.table_at(&resource, old).is_err());
            assert!(view.changes_after(&Resource::from("never"), old).is_err());
        }
    }
    let Outcome::Committed(revisions) = cluster.store(2).propose(create("new", "x")).await.unwrap() else {
        panic!("not committed");
    };
    assert_eq!(revisions, [restored.revision + 1]);
    // It goes on like any cluster: after the loss of any member, and after a restart of all.
    let leader = cluster.leader().await;
    let survivor = cluster.follower().await;
    cluster.crash(leader).await;
    assert!(committed(&cluster.store(survivor).propose(create("newer", "x")).await.unwrap()));
    let content_before = content(&cluster.store(survivor).read().await.unwrap());
    crash_all(&mut cluster).await;
    for id in 1..=3 {
        cluster.run(id).await;
    }
    for id in 1..=3 {
        assert_eq!(content(&cluster.store(id).read().await.unwrap()), content_before, "member {id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_restored_again_goes_on_after_all_that_the_first_one_wrote() {
    let mut cluster = Cluster::start(1, |_| {}).await;
    for n in 0..20 {
        cluster.store(1).propose(put(&format!("k{n}"), "x")).await.unwrap();
    }
    let file = saved(&cluster.store(1).read().await.unwrap());
    let mut newest = cluster.store(1).read().await.unwrap();
    for round in 0..3 {
        cluster.crash(1).await;
        wipe(&cluster, 1);
        let restored = restore(&cluster.config(1), &mut Reader::open(&file[..], None).unwrap()).await.unwrap();
        assert!(restored.revision > newest.revision() && restored.epoch > newest.epoch(), "{round}: {restored:?}");
        cluster.run(1).await;
        for n in 0..20 {
            cluster.store(1).propose(create(&format!("new{n}"), "x")).await.unwrap();
        }
        newest = cluster.store(1).read().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_becomes_a_cluster_and_takes_the_others_in_again() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    for n in 0..200 {
        cluster.store(1 + n % 3).propose(put(&format!("k{}", n % 40), &n.to_string())).await.unwrap();
    }
    let before = cluster.store(1).read().await.unwrap();
    let in_use = Recovery::plan(&cluster.config(1)).await.err().unwrap();
    assert!(in_use.to_string().contains("in use"), "{in_use}");
    cluster.crash(1).await;
    let needless = Recovery::plan(&cluster.config(1)).await.err().unwrap();
    assert!(needless.to_string().contains("start this master instead"), "{needless}");
    crash_all(&mut cluster).await;
    wipe(&cluster, 2);
    let old = cluster.directory(3).with_file_name("old");
    std::fs::rename(cluster.directory(3), &old).unwrap();

    let recovery = Recovery::plan(&cluster.config(1)).await.unwrap();
    let plan = recovery.planned().clone();
    let given_up: Vec<u64> = plan.given_up.iter().map(|(id, ..)| *id).collect();
    assert_eq!((plan.member, given_up, plan.answering.len()), (1, vec![2, 3], 0));
    assert_eq!(plan.revision, before.revision());
    assert!(plan.next_revision > before.revision() + 1_000_000_000_000 && plan.next_epoch > before.epoch());
    recovery.close().await.unwrap();
    // A plan changes nothing: it is still one of three.
    cluster.run(1).await;
    let alone = cluster.store(1).read().await.err().unwrap();
    assert!(matches!(alone, StoreError::NoLeader(_)), "{alone}");
    cluster.crash(1).await;

    let done = Recovery::plan(&cluster.config(1)).await.unwrap().carry_out().await.unwrap();
    assert!(done.next_revision > plan.next_revision && done.next_epoch > plan.next_epoch);
    cluster.run(1).await;
    let view = cluster.store(1).read().await.unwrap();
    assert_eq!(objects(&view), objects(&before));
    assert_eq!((view.revision(), view.epoch()), (done.next_revision, done.next_epoch));
    assert!(view.changes_after(&key("x").resource, before.revision()).is_err());
    assert!(committed(&cluster.store(1).propose(create("after", "x")).await.unwrap()));

    // One that still holds what was before is refused, and disturbs nobody.
    std::fs::rename(&old, cluster.directory(3)).unwrap();
    cluster.run(3).await;
    let refused = cluster.store(3).read().await.err().unwrap();
    assert!(matches!(refused, StoreError::NoLeader(_)), "{refused}");
    let term = cluster.store(1).status().term;
    assert!(committed(&cluster.store(1).propose(create("undisturbed", "x")).await.unwrap()));
    assert_eq!(cluster.store(1).status().term, term);
    cluster.crash(3).await;

    // With empty disks they are taken in again.
    wipe(&cluster, 3);
    let expected = content(&cluster.store(1).read().await.unwrap());
    for id in [2, 3] {
        cluster.run(id).await;
        let read = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                if let Ok(view) = cluster.store(id).read().await {
                    break view;
                }
            }
        });
        assert_eq!(content(&read.await.unwrap()), expected, "member {id}");
    }
    // And vote: the survivor is not needed any more.
    let voting = async {
        while !cluster.store(1).status().members.iter().all(|member| member.voter) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), voting).await.expect("three voters");
    cluster.crash(1).await;
    assert!(committed(&cluster.store(2).propose(create("without the survivor", "x")).await.unwrap()));
}
