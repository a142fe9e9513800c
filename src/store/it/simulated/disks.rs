//! Disks that are slow, or hang.

use super::{formed, leader, put, ready};
use raftsman_store::border::StoreError;
use raftsman_store::sim::{self, Crash, DiskFaults, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Four clients that write through all members in turn, until they are told to stop; counts what was acknowledged.
fn load(world: &Arc<World>, pause: Duration) -> (Arc<AtomicBool>, Arc<AtomicU64>) {
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for client in 0..4 {
        let (world, stop, written) = (world.clone(), stop.clone(), written.clone());
        sim::spawn(async move {
            for n in 0u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let running = world.running();
                let through = running.get((client + n) as usize % running.len().max(1));
                if let Some(through) = through.and_then(|id| world.client(*id))
                    && through.propose(put(&format!("k{}", n % 50), &"x".repeat(1_000))).await.is_ok()
                {
                    written.fetch_add(1, Ordering::Relaxed);
                }
                sim::sleep(pause).await;
            }
        });
    }
    (stop, written)
}

#[test]
fn a_slow_disk_costs_no_leadership_and_no_heartbeat() {
    sim::run(21, async {
        let world = Arc::new(World::new(21, 3, |config| config.snapshot_every = 500));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let term = one.leadership().term;
        let follower = (1..=3).find(|id| *id != one.member()).unwrap();
        // What gathers during one sync fits into what is left of a file of the log: to make another one takes several.
        let (stop, written) = load(&world, Duration::from_secs(1));
        for slow in [one.member(), follower] {
            world.set_disk(slow, DiskFaults { sync: Duration::from_secs(2), ..DiskFaults::default() });
            let (begun, before) = (sim::elapsed(), written.load(Ordering::Relaxed));
            let mut longest = 0;
            while sim::elapsed() - begun < Duration::from_secs(60) {
                sim::sleep(Duration::from_millis(10)).await;
                // What the slow one answers speaks of its disk, and waits for it.
                let others = one.status().members.into_iter().filter(|m| m.id != one.member() && m.id != slow);
                longest = others.filter_map(|member| member.silent_ms).max().unwrap_or(u64::MAX).max(longest);
                let now = (one.leadership(), one.health());
                assert_eq!(now.0.leading, Some(term), "with the disk of {slow} slow: {now:?}");
                for other in world.running().into_iter().filter_map(|id| world.client(id)) {
                    let seen = other.leadership();
                    assert_eq!((seen.term, seen.leader), (term, Some(one.member())), "with the disk of {slow} slow");
                }
            }
            let written = written.load(Ordering::Relaxed) - before;
            println!("disk of {slow} slow: a follower was silent for {longest} ms, {written} writes");
            assert!(longest < 80, "a follower was silent for {longest} ms with the disk of {slow} slow");
            assert!(written > 100, "{written} writes with the disk of {slow} slow");
            world.set_disk(slow, DiskFaults::default());
            sim::sleep(Duration::from_secs(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
    })
    .unwrap();
}

/// With a disk that hangs at one of three; gives after how long another one leads and after how long it gave up.
fn hanging(seed: u64, of_leader: bool) -> (Duration, Duration) {
    sim::run(seed, async move {
        let world = Arc::new(World::new(seed, 3, |_| {}));
        formed(&world).await;
        let one = leader(&world).unwrap();
        let hangs = if of_leader { one.member() } else { (1..=3).find(|id| *id != one.member()).unwrap() };
        let victim = world.client(hangs).unwrap();
        let (stop, written) = load(&world, Duration::from_millis(100));
        sim::sleep(Duration::from_secs(1)).await;
        world.set_disk(hangs, DiskFaults { sync: Duration::from_secs(3600), ..DiskFaults::default() });
        let begun = sim::elapsed();
        let mut led = None;
        let mut silent = (sim::elapsed(), written.load(Ordering::Relaxed));
        let gave_up = loop {
            sim::sleep(Duration::from_millis(10)).await;
            let since = sim::elapsed() - begun;
            assert!(since < Duration::from_secs(120), "it goes on");
            let leads = world.running().into_iter().filter(|id| *id != hangs).filter_map(|id| world.client(id));
            if leads.into_iter().any(|other| other.leadership().leading.is_some()) {
                led = led.or(Some(since));
            }
            let now = written.load(Ordering::Relaxed);
            if now > silent.1 {
                silent = (sim::elapsed(), now);
            }
            assert!(sim::elapsed() - silent.0 < Duration::from_secs(15), "no writes any more after {since:?}");
            if let Some(error) = victim.ended() {
                assert!(matches!(&error, StoreError::Storage(why) if why.contains("no write has ended")), "{error}");
                break since;
            }
            assert!(since < Duration::from_secs(10) || !victim.health().ready, "it is ready");
            assert!(since < Duration::from_secs(10) || victim.leadership().leading.is_none(), "it leads");
        };
        // Its machine gets another disk.
        world.wipe(hangs);
        world.set_disk(hangs, DiskFaults::default());
        world.start(hangs).await.unwrap();
        ready(&world, hangs, Duration::from_secs(20)).await;
        stop.store(true, Ordering::Relaxed);
        (led.unwrap(), gave_up)
    })
    .unwrap()
}

#[test]
fn a_leader_whose_disk_hangs_gives_the_leadership_away_and_then_up() {
    let (led, gave_up) = hanging(22, true);
    println!("another one leads after {led:?}, it gave up after {gave_up:?}");
    assert!(led < Duration::from_secs(10) && gave_up < Duration::from_secs(75), "{led:?}, {gave_up:?}");
}

#[test]
fn a_follower_whose_disk_hangs_gives_up_and_nobody_else_notices() {
    let (led, gave_up) = hanging(23, false);
    assert!(led < Duration::from_secs(1) && gave_up < Duration::from_secs(75), "{led:?}, {gave_up:?}");
}

#[test]
fn a_disk_that_comes_back_before_it_is_given_up_serves_again() {
    sim::run(24, async {
        let world = Arc::new(World::new(24, 1, |_| {}));
        formed(&world).await;
        let alone = leader(&world).unwrap();
        alone.propose(put("before", "x")).await.unwrap();
        world.set_disk(1, DiskFaults { sync: Duration::from_secs(20), ..DiskFaults::default() });
        let client = alone.clone();
        let write = sim::spawn(async move { client.propose(put("slow", "x")).await.map(drop) });
        sim::sleep(Duration::from_secs(8)).await;
        assert!(!alone.health().ready && alone.leadership().leading.is_none(), "{:?}", alone.health());
        assert!(matches!(alone.propose(put("refused", "x")).await, Err(StoreError::Overloaded(_))));
        world.set_disk(1, DiskFaults::default());
        drop(write.done().await);
        sim::sleep(Duration::from_secs(15)).await;
        assert!(alone.health().ready && alone.leadership().leading.is_some(), "{:?}", alone.health());
        alone.propose(put("after", "x")).await.unwrap();
        assert!(alone.view().get(&crate::harness::key("slow")).is_some());
        world.crash(1, Crash::Process);
    })
    .unwrap();
}
