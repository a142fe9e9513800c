//! Members that come and go while the store is written.

use crate::harness::{Cluster, committed, create, key};
use raftsman_store::RaftStore;
use raftsman_store::border::{Change, ChangeError, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

fn remove(member: u64) -> Change {
    Change::Remove { member }
}

/// Writers through one member; none of their writes may fail.
struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn through(stores: &[Arc<RaftStore>]) -> Self {
        static LOADS: AtomicUsize = AtomicUsize::new(0);
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let writer = |(at, store): (usize, &Arc<RaftStore>)| {
            let (store, stop) = (store.clone(), stop.clone());
            tokio::spawn(async move {
                let mut names = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let name = format!("l{load}-w{at}-{}", names.len());
                    let outcome = store.propose(create(&name, "x")).await;
                    assert!(matches!(&outcome, Ok(outcome) if committed(outcome)), "{name}: {outcome:?}");
                    names.push(name);
                }
                names
            })
        };
        Self { writers: stores.iter().enumerate().map(writer).collect(), stop }
    }

    /// Everything that was acknowledged is there.
    async fn end(self, store: &RaftStore) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut count = 0;
        for writer in self.writers {
            let names = writer.await.unwrap();
            let view = store.read().await.unwrap();
            count += names.len();
            for name in names {
                assert!(view.get(&key(&name)).is_some(), "{name} was acknowledged and is gone");
            }
        }
        count
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_become_five_three_one_and_three_again_under_load() {
    let mut cluster = Cluster::start(3, |config| config.snapshot_every = 256).await;
    let load = Load::through(&[cluster.store(1), cluster.store(1)]);
    cluster.join(None).await;
    cluster.join(None).await;
    cluster.settled(&[1, 2, 3, 4, 5]).await;
    for gone in [2, 3, 4, 5] {
        cluster.change(remove(gone)).await;
        cluster.crash(gone).await;
        let left: Vec<u64> = (1..=5).filter(|id| *id == 1 || *id > gone).collect();
        cluster.settled(&left).await;
    }
    cluster.join(None).await;
    cluster.join(None).await;
    cluster.settled(&[1, 6, 7]).await;
    let written = load.end(&cluster.store(7)).await;
    println!("{written} writes");
    assert!(written > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_removed_without_a_failed_write() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
        let load = Load::through(&[cluster.store(others[0]), cluster.store(others[1])]);
        cluster.change(remove(leader)).await;
        cluster.settled_but(leader, &others).await;
        assert!(load.end(&cluster.store(others[0])).await > 0);
        // It learns of it, says so, and serves no more.
        let mut ended = cluster.store(leader).ended();
        let why = tokio::time::timeout(Duration::from_secs(20), ended.wait_for(Option::is_some)).await;
        let why = why.unwrap().unwrap().clone();
        assert!(matches!(why, Some(StoreError::Removed(_))), "{why:?}");
        cluster.crash(leader).await;
        cluster.join(None).await;
        let mut voters = others.clone();
        voters.push(cluster.addresses.len() as u64);
        cluster.settled(&voters).await;
    }
}

/// Writes through a member until it refuses; what was acknowledged. Nothing may end any other way.
async fn until_refused(store: Arc<RaftStore>, writer: usize) -> (Vec<String>, String) {
    let mut written = Vec::new();
    loop {
        let name = format!("d{writer}-{}", written.len());
        match store.propose(create(&name, "x")).await {
            Ok(outcome) if committed(&outcome) => written.push(name),
            Err(StoreError::Leaving | StoreError::Removed(_)) => return (written, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_through_a_member_that_is_removed_learns_what_became_of_it() {
    let cluster = Cluster::start(3, |_| {}).await;
    let gone = cluster.follower().await;
    let writers: Vec<_> = (0..16).map(|at| tokio::spawn(until_refused(cluster.store(gone), at))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    cluster.change(remove(gone)).await;
    let left: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != gone).collect();
    cluster.settled_but(gone, &left).await;
    for writer in writers {
        let (written, refused) = tokio::time::timeout(Duration::from_secs(20), writer).await.unwrap().unwrap();
        assert!(!written.is_empty());
        let view = cluster.store(left[0]).read().await.unwrap();
        for name in written {
            assert!(view.get(&key(&name)).is_some(), "{name} was acknowledged and is gone");
        }
        assert!(view.get(&key(&refused)).is_none(), "{refused} was refused and is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_that_comes_back_disturbs_nobody() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let gone = cluster.follower().await;
    cluster.crash(gone).await;
    cluster.change(remove(gone)).await;
    let left = cluster.ids();
    cluster.settled(&left).await;
    let before = *cluster.store(left[0]).leadership().borrow();
    let load = Load::through(&[cluster.store(left[0]), cluster.store(left[1])]);
    cluster.run(gone).await;
    let back = cluster.store(gone);
    let mut ended = back.ended();
    let why =
        tokio::time::timeout(Duration::from_secs(20), ended.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert!(matches!(why, Some(StoreError::Removed(_))), "{why:?}");
    assert!(matches!(back.propose(create("late", "x")).await, Err(StoreError::Removed(_))));
    assert!(load.end(&cluster.store(left[0])).await > 0);
    let after = *cluster.store(left[0]).leadership().borrow();
    assert_eq!((before.term, before.leader), (after.term, after.leader), "it cost the leadership");
    // With an empty disk it is as little welcome.
    cluster.crash(gone).await;
    std::fs::remove_dir_all(cluster.directory(gone)).unwrap();
    cluster.run(gone).await;
    let mut ended = cluster.store(gone).ended();
    let why =
        tokio::time::timeout(Duration::from_secs(20), ended.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert!(matches!(why, Some(StoreError::Removed(_))), "{why:?}");
    // Nor is its id given to anybody else.
    let added = cluster.join(None).await;
    assert_eq!(added, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_member_is_replaced_in_one_step() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let dead = cluster.follower().await;
    cluster.crash(dead).await;
    let left = cluster.ids();
    let load = Load::through(&[cluster.store(left[0]), cluster.store(left[1])]);
    let new = cluster.join(Some(dead)).await;
    let mut voters = left.clone();
    voters.push(new);
    cluster.settled(&voters).await;
    assert!(load.end(&cluster.store(new)).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_cost_the_quorum_is_refused() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    cluster.crash(others[1]).await;
    let refused = cluster.try_change(&remove(others[0])).await;
    assert!(matches!(&refused, Err(ChangeError::Refused(why)) if why.contains("quorum")), "{refused:?}");
    let unknown = cluster.try_change(&remove(9)).await;
    assert!(matches!(&unknown, Err(ChangeError::Unknown(_))), "{unknown:?}");
    let follower = cluster.store(others[0]).change_members(remove(others[1])).await;
    assert_eq!(follower, Err(ChangeError::NotLeader { leader: Some(leader) }));
    cluster.change(remove(others[1])).await;
    cluster.settled(&[leader.min(others[0]), leader.max(others[0])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_goes_where_it_is_sent() {
    let cluster = Cluster::start(3, |_| {}).await;
    for _ in 0..3 {
        let follower = cluster.follower().await;
        let changed = cluster.change(Change::Transfer { to: Some(follower) }).await;
        assert_eq!(changed.member, follower);
        assert_eq!(cluster.leader().await, follower);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_moves_to_another_address() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let mover = cluster.follower().await;
    cluster.crash(mover).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let update = |force| Change::Update { member: mover, name: None, address: Some(address.to_string()), force };
    let refused = cluster.try_change(&update(false)).await;
    assert!(matches!(&refused, Err(ChangeError::Refused(why)) if why.contains("does not answer")), "{refused:?}");
    cluster.addresses[mover as usize - 1].address = address;
    cluster.run(mover).await;
    cluster.change(update(false)).await;
    let leader = cluster.leader().await;
    // It is reached there: with the third member gone it is needed for every write.
    let third = cluster.ids().into_iter().find(|id| *id != leader && *id != mover).unwrap();
    cluster.crash(third).await;
    assert!(committed(&cluster.store(leader).propose(create("there", "x")).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_member_asks_those_who_are_members_now() {
    let mut cluster = Cluster::start(3, |_| {}).await;
    cluster.join(None).await;
    cluster.join(None).await;
    cluster.settled(&[1, 2, 3, 4, 5]).await;
    cluster.change(Change::Transfer { to: Some(1) }).await;
    cluster.crash(2).await;
    std::fs::remove_dir_all(cluster.directory(2)).unwrap();
    cluster.crash(4).await;
    cluster.crash(5).await;
    // Its configuration still says that there are three: two others of them are not enough when there are five.
    cluster.known = 3;
    cluster.run(2).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(cluster.store(2).status().last_log, 0, "it went on with too few");
    cluster.run(4).await;
    cluster.leader().await;
    assert!(committed(&cluster.store(2).propose(create("back", "x")).await.unwrap()));
    cluster.ready(2).await;
    cluster.crash(1).await;
    cluster.leader().await;
    assert!(committed(&cluster.store(2).propose(create("votes", "x")).await.unwrap()));
}

/// What is changed, and who votes before and after.
async fn leader_dies_in(what: &str, delay: Duration) {
    let mut cluster = Cluster::start(3, |_| {}).await;
    let leader = cluster.leader().await;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    if what != "remove" && what != "demote" {
        // A learner that has caught up.
        let id = cluster.addresses.len() as u64 + 1;
        let host = cluster.host(id);
        let (name, address) = (host.name, host.address.to_string());
        let add = Change::Add { name, address, voter: false, replaces: None, key: "k".into() };
        assert_eq!(cluster.change(add).await.member, id);
        cluster.run(id).await;
        cluster.store(id).read().await.unwrap();
    }
    let (change, voters) = match what {
        "promote" => (Change::Promote { member: 4, force: false }, vec![1, 2, 3, 4]),
        "remove" => (remove(others[0]), vec![leader, others[1]]),
        "replace" => (Change::Replace { member: others[0], with: 4 }, vec![leader, others[1], 4]),
        _ => (Change::Demote { member: others[0] }, vec![leader, others[1]]),
    };
    let store = cluster.store(leader);
    let begun = {
        let change = change.clone();
        tokio::spawn(async move { store.change_members(change).await })
    };
    tokio::time::sleep(delay).await;
    cluster.crash(leader).await;
    let _ = begun.await;
    // Whoever is left: the one that goes may be needed until the leader is back.
    cluster.run(leader).await;
    cluster.change(change).await;
    let mut wanted = voters;
    wanted.sort_unstable();
    let survivor = cluster.store(others[1]);
    let mut members = survivor.members();
    let done =
        members.wait_for(|members| members.all.iter().filter(|m| m.voter).map(|m| m.id).eq(wanted.iter().copied()));
    assert!(
        tokio::time::timeout(Duration::from_secs(30), done).await.is_ok(),
        "{what} {delay:?}: {:?}",
        survivor.members().borrow()
    );
    assert!(committed(&survivor.propose(create("after", "x")).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_in_the_middle_of_a_change_leaves_nothing_half_done() {
    for what in ["promote", "demote", "remove", "replace"] {
        for delay in [0, 1, 2, 4, 8] {
            leader_dies_in(what, Duration::from_millis(delay)).await;
        }
    }
}
