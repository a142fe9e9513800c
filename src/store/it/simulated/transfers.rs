//! Snapshots that take long: under writes, and over restarts of who receives them.

use super::{formed, leader, ready};
use raftsman_store::border::StoreError;
use raftsman_store::sim::{self, Crash, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Writes objects of this size until it is told to stop; counts them.
fn writer(world: &Arc<World>, size: usize, pause: Duration) -> (Arc<AtomicBool>, Arc<AtomicU64>) {
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (world, ended, count) = (world.clone(), stop.clone(), written.clone());
    sim::spawn(async move {
        while !ended.load(Ordering::Relaxed) {
            sim::sleep(pause).await;
            let Some(client) = leader(&world) else { continue };
            let n = count.load(Ordering::Relaxed);
            if client.propose(super::put(&format!("k{}", n % 100), &"x".repeat(size))).await.is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    (stop, written)
}

/// The first entry that a member's log still has.
async fn first(client: &sim::Client) -> u64 {
    client.log(0).await.unwrap().first().map_or(0, |(index, ..)| *index)
}

/// So many writes to so many keys of so many bytes, until the log begins after them; then a follower starts with an empty disk.
async fn needs_a_snapshot(world: &World, one: &sim::Client, (writes, keys, bytes): (usize, usize, usize)) -> u64 {
    for n in 0..writes {
        one.propose(super::put(&format!("k{}", n % keys), &"x".repeat(bytes))).await.unwrap();
    }
    while first(one).await == 0 {
        sim::sleep(Duration::from_millis(100)).await;
    }
    let victim = (1..=3).find(|id| *id != one.member()).unwrap();
    world.wipe(victim);
    world.start(victim).await.unwrap();
    victim
}

#[test]
fn a_slow_transfer_under_writes_comes_to_its_end() {
    let (took, written) = sim::run(11, async {
        let world = Arc::new(World::new(11, 3, |config| {
            config.snapshot_every = 16;
            config.snapshot_rate = 40_000;
        }));
        formed(&world).await;
        let (stop, written) = writer(&world, 2_000, Duration::from_millis(10));
        while written.load(Ordering::Relaxed) < 200 {
            sim::sleep(Duration::from_millis(100)).await;
        }
        let one = leader(&world).unwrap();
        assert!(first(&one).await > 0, "nothing was purged while all members followed");
        let victim = (1..=3).find(|id| *id != one.member()).unwrap();
        world.wipe(victim);
        world.start(victim).await.unwrap();
        let (begun, before) = (sim::elapsed(), written.load(Ordering::Relaxed));
        ready(&world, victim, Duration::from_secs(60)).await;
        let took = sim::elapsed() - begun;
        let meanwhile = written.load(Ordering::Relaxed) - before;
        // What was kept for it goes once it follows.
        let held = first(&one).await;
        for _ in 0..100 {
            sim::sleep(Duration::from_millis(100)).await;
        }
        assert!(first(&one).await > held, "the log is kept although nobody lacks it");
        stop.store(true, Ordering::Relaxed);
        (took, meanwhile)
    })
    .unwrap();
    println!("{took:?} with {written} writes meanwhile");
    // Long enough for many snapshots and, by counts alone, as many purges.
    assert!(took > Duration::from_secs(4) && written > 16 * 10, "{took:?}, {written} writes: that was not slow");
}

#[test]
fn a_log_that_grows_too_long_is_cut_although_a_member_lacks_it() {
    let lengths = sim::run(12, async {
        let world = Arc::new(World::new(12, 3, |config| {
            config.snapshot_bytes = 300_000;
            config.log_bytes = 600_000;
        }));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let victim = (1..=3).find(|id| *id != one.member()).unwrap();
        world.crash(victim, Crash::Process);
        let (stop, written) = writer(&world, 2_000, Duration::from_millis(2));
        let mut lengths = Vec::new();
        while written.load(Ordering::Relaxed) < 2_000 {
            sim::sleep(Duration::from_millis(500)).await;
            lengths.push(one.log(0).await.unwrap().len());
        }
        stop.store(true, Ordering::Relaxed);
        // It comes back by a snapshot.
        world.start(victim).await.unwrap();
        ready(&world, victim, Duration::from_secs(30)).await;
        lengths
    })
    .unwrap();
    // An entry takes a block or two of a file; files go as a whole, and the log is looked at twice a second.
    let longest = *lengths.iter().max().unwrap();
    assert!((100..1_000).contains(&longest), "{lengths:?}");
}

#[test]
fn a_transfer_goes_on_where_it_was_when_its_receiver_restarts() {
    // About 10 MB at 1 MB a second.
    let rate = 1_000_000;
    let (whole, rest) = sim::run(13, async move {
        let world = Arc::new(World::new(13, 3, move |config| {
            config.snapshot_every = 1_000;
            config.snapshot_rate = rate;
        }));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let victim = needs_a_snapshot(&world, &one, (1_600, 600, 10_000)).await;
        let begun = sim::elapsed();
        ready(&world, victim, Duration::from_secs(90)).await;
        let whole = sim::elapsed() - begun;

        world.wipe(victim);
        world.start(victim).await.unwrap();
        sim::sleep(whole * 3 / 4).await;
        assert!(world.client(victim).is_some_and(|client| !client.health().ready), "it is there already");
        world.crash(victim, Crash::Process);
        world.start(victim).await.unwrap();
        let begun = sim::elapsed();
        ready(&world, victim, Duration::from_secs(90)).await;
        (whole, sim::elapsed() - begun)
    })
    .unwrap();
    println!("whole {whole:?}, after three quarters of it and a restart {rest:?}");
    assert!(whole > Duration::from_secs(8), "{whole:?}: that was not slow");
    assert!(rest < whole / 2, "{rest:?} of {whole:?}: it began anew");
}

#[test]
fn a_leader_whose_own_snapshot_is_damaged_gives_up() {
    sim::run(14, async {
        let world = Arc::new(World::new(14, 3, |config| {
            config.snapshot_every = 100;
            config.snapshot_rate = 50_000;
        }));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let victim = needs_a_snapshot(&world, &one, (300, 50, 1_000)).await;
        let begun = sim::elapsed();
        let error = loop {
            sim::sleep(Duration::from_millis(20)).await;
            if sim::elapsed() - begun < Duration::from_secs(10) {
                // Whichever it is that is sent.
                for number in 0..40 {
                    world.flip(one.member(), &format!("snapshots/{number}"));
                }
            }
            if let Some(error) = one.ended() {
                break error;
            }
            assert!(
                sim::elapsed() - begun < Duration::from_secs(30),
                "it sends its damaged snapshot again and again: {:?}",
                world.client(victim).map(|v| v.health())
            );
        };
        assert!(matches!(&error, StoreError::Storage(why) if why.contains("own snapshot is damaged")), "{error}");
        // Another one leads, and has a good one; then so has the first.
        world.crash(one.member(), Crash::Process);
        ready(&world, victim, Duration::from_secs(30)).await;
        world.wipe(one.member());
        world.start(one.member()).await.unwrap();
        for id in 1..=3 {
            ready(&world, id, Duration::from_secs(30)).await;
        }
    })
    .unwrap();
}
