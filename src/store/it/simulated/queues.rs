//! Nothing that waits grows without bound.

use super::{formed, leader, put};
use raftsman_store::border::StoreError;
use raftsman_store::sim::{self, Client, Crash, World};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn reads_that_wait_for_a_quorum_are_bounded() {
    let (refused, late) = sim::run(7, async {
        let world = Arc::new(World::new(7, 3, |config| config.lease_reads = false));
        formed(&world).await;
        let one = leader(&world).unwrap();
        world.machines().into_iter().filter(|id| *id != one.member()).for_each(|id| world.crash(id, Crash::Process));
        // In three waves: those of the first are long taken out of the queue when the last comes.
        let mut reads = Vec::new();
        for _ in 0..3 {
            for _ in 0..8_000 {
                let client = one.clone();
                reads.push(sim::spawn(async move { client.read().await.map(drop) }));
            }
            sim::sleep(Duration::from_millis(50)).await;
        }
        let (mut refused, mut late) = (0, 0);
        for read in reads {
            match read.done().await {
                Some(Err(StoreError::Overloaded(_))) => refused += 1,
                Some(Err(_)) => late += 1,
                other => panic!("{other:?}"),
            }
        }
        (refused, late)
    })
    .unwrap();
    // 16,384 places; the member asks for its own health too.
    assert!((24_000 - 16_384..24_000 - 16_370).contains(&refused), "{refused} refused");
    assert_eq!(refused + late, 24_000);
}

/// So many proposals through a member, in three waves; how many were refused, and how many were answered otherwise.
async fn waves(client: &Client, each: usize) -> (usize, usize) {
    let mut writes = Vec::new();
    for wave in 0..3 {
        for n in 0..each {
            let client = client.clone();
            let name = format!("k{}", wave * each + n);
            writes.push(sim::spawn(async move { client.propose(put(&name, "x")).await.map(drop) }));
        }
        sim::sleep(Duration::from_millis(50)).await;
    }
    let (mut refused, mut others) = (0, 0);
    for write in writes {
        match write.done().await {
            Some(Err(StoreError::Overloaded(_))) => refused += 1,
            Some(Err(StoreError::Unknown { .. })) => others += 1,
            other => panic!("{other:?}"),
        }
    }
    (refused, others)
}

#[test]
fn proposals_whose_answers_never_come_are_bounded() {
    sim::run(9, async {
        let world = Arc::new(World::new(9, 3, |config| config.max_proposals = 512));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let follower = (1..=3).find(|id| *id != one.member()).and_then(|id| world.client(id)).unwrap();
        follower.propose(put("before", "x")).await.unwrap();
        // What it proposes arrives and is taken; it hears nothing of it, nor of anything else.
        world.cut(one.member(), follower.member());
        for series in 0..3 {
            let before = one.view().revision();
            assert_eq!(waves(&follower, 1_000).await, (3_000 - 512, 512), "series {series}");
            assert_eq!(one.view().revision() - before, 512, "series {series}: each was taken, once");
        }
        world.mend();
        sim::sleep(Duration::from_secs(3)).await;
        follower.propose(put("after", "x")).await.unwrap();
    })
    .unwrap();
}

#[test]
fn a_leader_that_is_frozen_holds_up_no_write_once_another_one_leads() {
    let (led, last) = sim::run(8, async {
        let world = Arc::new(World::new(8, 3, |_| {}));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let others: Vec<Client> = (1..=3).filter(|id| *id != one.member()).filter_map(|id| world.client(id)).collect();
        for other in &others {
            other.propose(put("before", "x")).await.unwrap();
        }
        world.freeze(one.member());
        let begun = sim::elapsed();
        let mut writes = Vec::new();
        // Through both: one of them goes on forwarding.
        for n in 0..50 {
            for client in others.clone() {
                writes.push(sim::spawn(async move {
                    client.propose(put(&format!("k{n}-{}", client.member()), "x")).await.unwrap();
                    sim::elapsed()
                }));
            }
            sim::sleep(Duration::from_millis(2)).await;
        }
        while !others.iter().any(|other| other.leadership().leading.is_some()) {
            sim::sleep(Duration::from_millis(1)).await;
        }
        let led = sim::elapsed() - begun;
        let mut last = begun;
        for write in writes {
            last = last.max(write.done().await.unwrap());
        }
        (led, last - begun)
    })
    .unwrap();
    println!("another one leads after {led:?}, the last write was acknowledged after {last:?}");
    assert!(last < led + Duration::from_millis(300), "{led:?}, {last:?}");
}
