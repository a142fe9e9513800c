//! What befalls a cluster.

use crate::keeper::Keeper;
use crate::members;
use crate::plan::Plan;
use raftsman_store::border::Change;
use raftsman_store::sim::{self, Chance, Clock, Crash, DiskFaults, Weather, World};
use std::sync::Arc;
use std::time::Duration;

/// Kinds of faults.
pub const KINDS: usize = 20;

/// So many machines at most.
const MOST: usize = 8;

/// Faults, one after the other and over one another, until this long.
pub async fn storm(plan: Plan, world: Arc<World>, keeper: Arc<Keeper>, mut chance: Chance) {
    let end = sim::elapsed() + plan.stormy;
    while sim::elapsed() < end {
        let pause = chance.range(1..plan.pause.as_millis() as u64 + 2);
        sim::sleep(Duration::from_millis(pause)).await;
        let total: u64 = plan.weights.iter().sum();
        let mut at = chance.range(0..total);
        let kind = plan.weights.iter().position(|weight| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        if let Some(kind) = kind {
            befall(kind, &plan, &world, &keeper, &mut chance).await;
        }
    }
}

/// Everything is as it should be again, and stays so: what a fault would have undone by itself later is undone now.
pub fn heal(keeper: &Keeper) {
    let world = &keeper.world;
    keeper.heal();
    world.mend();
    world.set_weather(Weather::default());
    for id in world.machines() {
        world.thaw(id);
        world.set_disk(id, DiskFaults::default());
        world.set_clock(id, Clock { forward: Duration::ZERO, millionths: 1_000_000 });
    }
}

async fn befall(kind: usize, plan: &Plan, world: &Arc<World>, keeper: &Arc<Keeper>, chance: &mut Chance) {
    let all = world.machines();
    let Some(one) = chance.pick(&all).copied() else { return };
    let leader =
        world.running().into_iter().find(|id| world.client(*id).is_some_and(|c| c.leadership().leading.is_some()));
    // Leaders more often than others.
    let one = leader.filter(|_| chance.percent(40)).unwrap_or(one);
    let while_ = Duration::from_millis(chance.range(20..4_000));
    match kind {
        0 => world.crash(one, Crash::Process),
        1 => world.crash(one, Crash::Power),
        2 => all.iter().for_each(|id| world.crash(*id, if chance.percent(80) { Crash::Power } else { Crash::Process })),
        3 => {
            world.freeze(one);
            later(keeper, while_, move |world| world.thaw(one));
        }
        4 => {
            all.iter().filter(|id| **id != one).for_each(|id| {
                world.cut(one, *id);
                world.cut(*id, one);
            });
            later(keeper, while_, |world| world.mend());
        }
        5 => {
            if let Some(other) = chance.pick(&all).filter(|other| **other != one) {
                world.cut(one, *other);
                later(keeper, while_, |world| world.mend());
            }
        }
        6 => {
            // Two halves, one way or both.
            let both = chance.percent(70);
            let halves: Vec<bool> = all.iter().map(|_| chance.percent(50)).collect();
            for (from, half) in all.iter().zip(&halves) {
                for (to, other) in all.iter().zip(&halves) {
                    if half != other && (both || *half) {
                        world.cut(*from, *to);
                    }
                }
            }
            later(keeper, while_, |world| world.mend());
        }
        7 => {
            let usual = plan.weather.clone();
            let weather = Weather { most: chance.range(10..300), loss: chance.range(0..200_000), ..usual.clone() };
            world.set_weather(weather);
            later(keeper, while_, move |world| world.set_weather(usual.clone()));
        }
        8 => {
            let usual = DiskFaults::default();
            let slow = |chance: &mut Chance, most: u64, usual: Duration| {
                if chance.percent(50) { Duration::from_micros(chance.range(50..most)) } else { usual }
            };
            let sync = slow(chance, 400_000, usual.sync);
            // Any of them, as a disk that others keep busy.
            let (write, read) = (slow(chance, 5_000, usual.write), slow(chance, 5_000, usual.read));
            disk(keeper, one, DiskFaults { sync, write, read, ..usual }, while_);
        }
        9 => {
            keeper.fails(one);
            disk(keeper, one, DiskFaults { errors: chance.range(1_000..50_000), ..DiskFaults::default() }, while_);
        }
        10 => disk(keeper, one, DiskFaults { cuts: chance.range(500..50_000), ..DiskFaults::default() }, while_),
        11 => {
            // With leases, what they assume: see `raftsman_store`'s lease. A clock never jumps then.
            let forward = if !plan.leases && chance.percent(50) { chance.range(0..2_000) } else { 0 };
            let millionths = chance.range(900_000..1_100_000);
            world.set_clock(one, Clock { forward: Duration::from_millis(forward), millionths });
        }
        12 => drop(keeper.wipe(one)),
        13 => world.shut_down(one).await,
        15 => {
            world.suspend(one);
            later(keeper, while_, move |world| world.thaw(one));
        }
        16 => {
            if all.len() < MOST {
                let replaces = chance.percent(30).then_some(one);
                members::join(keeper, replaces, chance.percent(75));
            }
        }
        17 => members::leave(keeper, one),
        18 => drop(keeper.flip(one, if chance.percent(70) { "log" } else { "state" })),
        19 => {
            keeper.fails(one);
            disk(keeper, one, DiskFaults { full: true, ..DiskFaults::default() }, while_);
        }
        _ => {
            // Changes of the members, by whoever leads.
            let Some(client) = leader.and_then(|leader| world.client(leader)) else { return };
            let change = match chance.range(0..3) {
                0 => Change::Transfer { to: chance.percent(50).then_some(one) },
                1 => Change::Demote { member: one },
                _ => Change::Promote { member: one, force: false },
            };
            if keeper.begin_change() {
                let keeper = keeper.clone();
                sim::spawn(async move {
                    let _ = client.change_members(change).await;
                    keeper.end_change();
                });
            }
        }
    }
}

fn disk(keeper: &Arc<Keeper>, one: u64, faults: DiskFaults, while_: Duration) {
    keeper.world.set_disk(one, faults);
    later(keeper, while_, move |world| world.set_disk(one, DiskFaults::default()));
}

fn later(keeper: &Arc<Keeper>, after: Duration, what: impl Fn(&World) + Send + 'static) {
    let keeper = keeper.clone();
    sim::spawn(async move {
        sim::sleep(after).await;
        if !keeper.is_healed() {
            what(&keeper.world);
        }
    });
}
