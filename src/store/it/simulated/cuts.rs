//! The power goes at every operation of a disk, and takes with it all, nothing or some of what was not synced: while a member
//! writes its log, its state and snapshots, while it installs one, and while it is recovered.

use super::{Acknowledged, changes, formed, holds, leader, ready, write};
use raftsman_store::sim::{self, Crash, DiskFaults, Loss, World};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const KINDS: [Loss; 3] = [Loss::All, Loss::Nothing, Loss::Torn];

/// Does this for every operation up to the number that `whole` gives, each with every kind of loss.
fn everywhere(name: &str, whole: u64, cut: impl Fn(u64, Loss, u64) -> u64 + Sync) {
    assert!(whole > 20, "{name}: {whole} operations");
    let next = AtomicU64::new(1);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at > whole || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    for (seed, loss) in (0..).zip(KINDS) {
                        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cut(at, loss, seed)));
                        if done.is_err() {
                            failed.lock().unwrap().push((at, loss));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{name}: with the power cut at operation and loss {failed:?}; the first message is the reason"
    );
    println!("{name}: {whole} operations, {} power cuts", whole * KINDS.len() as u64);
}

fn world(seed: u64, size: u64) -> World {
    World::new(seed, size, |config| {
        config.snapshot_every = 16;
        config.log_cache_bytes = 2_000;
    })
}

/// One member writes, makes snapshots and purges its log. Gives the operations of its disk.
fn alone(at: Option<(u64, Loss)>, seed: u64) -> u64 {
    let ran = sim::run(seed, async move {
        let world = world(seed, 1);
        if let Some((at, loss)) = at {
            world.cut_at(1, at, loss);
        }
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        if world.start(1).await.is_ok() {
            for n in 0..60u64 {
                let Some(client) = world.client(1) else { break };
                write(&client, &format!("k{}", n % 7), &n.to_string(), &mut acknowledged).await;
                // The log is looked at now and then.
                if n % 20 == 19 {
                    sim::sleep(Duration::from_millis(600)).await;
                }
            }
        }
        let operations = world.operations(1);
        world.crash(1, Crash::Process);
        world.set_disk(1, DiskFaults::default());
        let context = format!("cut at {at:?}");
        if let Err(error) = world.start(1).await {
            panic!("{context}: it does not start again: {error}");
        }
        let client = ready(&world, 1, Duration::from_secs(20)).await;
        holds(&client.read().await.unwrap(), &acknowledged, &context);
        assert!(write(&client, "after", "x", &mut acknowledged).await, "{context}");
        operations
    });
    ran.unwrap()
}

#[test]
fn a_member_loses_nothing_acknowledged_at_whichever_operation_the_power_goes() {
    everywhere("writes and snapshots", alone(None, 0), |at, loss, seed| alone(Some((at, loss)), seed));
}

/// A member with an empty disk is sent a snapshot, installs it and follows.
fn installing(at: Option<(u64, Loss)>, seed: u64) -> u64 {
    let ran = sim::run(seed, async move {
        let world = world(seed, 3);
        formed(&world).await;
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        let one = leader(&world).unwrap();
        for n in 0..50u64 {
            assert!(write(&one, &format!("k{}", n % 7), &n.to_string(), &mut acknowledged).await);
        }
        // Until the beginning of the log is gone: then only a snapshot helps.
        while one.log(0).await.unwrap().first().is_none_or(|(first, ..)| *first == 0) {
            sim::sleep(Duration::from_millis(100)).await;
        }
        let victim = (1..=3).find(|id| *id != one.member()).unwrap();
        world.wipe(victim);
        let before = world.operations(victim);
        if let Some((at, loss)) = at {
            world.cut_at(victim, before + at, loss);
        }
        let begun = sim::elapsed();
        let mut operations = 0;
        if world.start(victim).await.is_ok() {
            let mut n = 0u64;
            while sim::elapsed() - begun < Duration::from_secs(20) {
                let Some(client) = world.client(victim) else { break };
                n += 1;
                write(&one, "meanwhile", &n.to_string(), &mut acknowledged).await;
                if client.health().ready {
                    break;
                }
                sim::sleep(Duration::from_millis(20)).await;
            }
            operations = world.operations(victim) - before;
        }
        world.crash(victim, Crash::Process);
        world.set_disk(victim, DiskFaults::default());
        let context = format!("cut at {at:?}");
        if let Err(error) = world.start(victim).await {
            panic!("{context}: it does not start again: {error}");
        }
        let client = ready(&world, victim, Duration::from_secs(20)).await;
        holds(&client.read().await.unwrap(), &acknowledged, &context);
        // With its vote the cluster survives the leader.
        world.crash(one.member(), Crash::Power);
        let mut after = false;
        for _ in 0..3 {
            after = after || write(&client, "after", "x", &mut acknowledged).await;
        }
        assert!(after, "{context}: it and the third do not go on");
        holds(&client.read().await.unwrap(), &acknowledged, &context);
        operations
    });
    ran.unwrap()
}

#[test]
fn a_member_comes_back_at_whichever_operation_of_an_install_the_power_goes() {
    everywhere("installs", installing(None, 0), |at, loss, seed| installing(Some((at, loss)), seed));
}

/// One of three is made a cluster of its own.
fn recovering(at: Option<(u64, Loss)>, seed: u64) -> u64 {
    let ran = sim::run(seed, async move {
        let world = world(seed, 3);
        formed(&world).await;
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        let one = leader(&world).unwrap();
        for n in 0..40u64 {
            assert!(write(&one, &format!("k{}", n % 7), &n.to_string(), &mut acknowledged).await);
        }
        let survivor = one.member();
        world.machines().into_iter().for_each(|id| world.crash(id, Crash::Process));
        let before = world.operations(survivor);
        let context = format!("cut at {at:?}");
        if let Some((at, loss)) = at {
            world.cut_at(survivor, before + at, loss);
            // Perhaps it was done already, and only closing was cut.
            let _ = world.recover(survivor).await;
            world.set_disk(survivor, DiskFaults::default());
        }
        let plan = match world.recover(survivor).await {
            Ok(plan) => plan,
            Err(error) => panic!("{context}: doing it again does not complete it: {error}"),
        };
        let operations = world.operations(survivor) - before;
        if let Err(error) = world.start(survivor).await {
            panic!("{context}: it does not start: {error}");
        }
        let client = ready(&world, survivor, Duration::from_secs(20)).await;
        let view = client.read().await.unwrap();
        assert!(view.epoch() >= 1 && view.revision() >= plan.next_revision, "{context}: {plan:?}");
        // Its history begins anew; what each key held last is there.
        for (name, text, revision) in &acknowledged {
            let last = acknowledged.iter().rev().find(|(other, ..)| other == name).unwrap();
            if last.2 == *revision {
                let held = view.get(&crate::harness::key(name)).unwrap_or_else(|| panic!("{context}: {name} is gone"));
                assert_eq!((&held.json[..], held.revision), (text.as_bytes(), *revision), "{context}");
            }
        }
        assert!(write(&client, "after", "x", &mut acknowledged).await, "{context}");
        let since = changes(&client.view(), plan.next_revision);
        assert!(since.iter().any(|change| change.key().name() == "after"), "{context}: {since:?}");
        operations
    });
    ran.unwrap()
}

#[test]
fn a_recovery_that_is_broken_off_at_any_operation_is_completed_by_doing_it_again() {
    everywhere("recoveries", recovering(None, 0), |at, loss, seed| recovering(Some((at, loss)), seed));
}
