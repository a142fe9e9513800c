//! One run from its seed.

use crate::clients::{Worker, key};
use crate::invariants::{Event, Seen, violations};
use crate::keeper::Keeper;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::watchers::Watcher;
use crate::{faults, members, observers};
use raftsman_state::{Body, Meta, Op, Outcome, Txn};
use raftsman_store::Profile;
use raftsman_store::border::Change;
use raftsman_store::sim::{self, Chance, Crash, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A cluster forms, and one that is well again serves, within so long.
const PROMPTLY: Duration = Duration::from_secs(60);

/// What is left of a cluster serves within so long: an election, and what a member needs to be ready.
const SOON: Duration = Duration::from_secs(5);

/// The same for masters that are far apart.
const SOON_FAR: Duration = Duration::from_secs(15);

/// Revisions of which all members' lists are compared at the end.
const LISTS: u64 = 6;

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What it chose.
    pub plan: String,
    /// What broke, in words; empty if all is well.
    pub broken: Vec<String>,
    /// Everything that was recorded.
    pub events: Vec<Event>,
    /// The newest messages and faults.
    pub messages: Vec<String>,
    /// Time that passed in the simulation.
    pub simulated: Duration,
    /// Operations of clients that were answered.
    pub answered: u64,
    /// Changes that were made.
    pub changes: u64,
    /// Elections won.
    pub terms: u64,
    /// Of all messages, faults and events: equal for equal runs.
    pub digest: u64,
}

/// Runs a seed.
pub fn run(seed: u64) -> Report {
    let plan = Plan::of(seed);
    let recorder = Recorder::default();
    let ran = sim::run(seed, scenario(seed, plan.clone(), recorder.clone()));
    let (events, mut broken, messages) = recorder.take();
    let (digest, simulated, answered) = match ran {
        Ok(ended) => ended,
        Err(stuck) => {
            broken.push(format!("the simulation is stuck: {stuck}"));
            (0, Duration::ZERO, 0)
        }
    };
    broken.extend(violations(&events).iter().map(ToString::to_string));
    let count =
        |of: fn(&Event) -> Option<u64>| events.iter().filter_map(of).collect::<std::collections::BTreeSet<_>>().len();
    let changes = count(|event| if let Seen::Change { revision, .. } = event.seen { Some(revision) } else { None });
    let terms = count(|event| if let Seen::Leading { term, .. } = event.seen { Some(term) } else { None });
    let digest = events.iter().fold(digest, fold);
    let plan = format!("{plan:?}");
    Report {
        seed,
        plan,
        broken,
        events,
        messages,
        simulated,
        answered,
        changes: changes as u64,
        terms: terms as u64,
        digest,
    }
}

fn fold(digest: u64, event: &Event) -> u64 {
    format!("{event:?}").bytes().fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

async fn scenario(seed: u64, plan: Plan, recorder: Recorder) -> (u64, Duration, u64) {
    let mut chance = Chance::new(seed);
    let world = World::new(chance.number(), plan.size, move |config| {
        config.snapshot_every = plan.snapshot_every;
        config.snapshot_bytes = plan.snapshot_bytes;
        config.log_bytes = plan.log_bytes;
        config.snapshot_rate = plan.snapshot_rate;
        config.log_cache_bytes = plan.log_cache;
        config.history.changes = plan.history;
        config.lease_reads = plan.leases;
        config.max_proposals = plan.max_proposals;
        config.profile = if plan.wan { Profile::Wan } else { Profile::Lan };
    });
    let world = Arc::new(world);
    recorder.of(world.clone());
    let keeper = Keeper::new(world.clone(), recorder.clone(), chance.fork());
    let answered = Arc::new(AtomicU64::new(0));
    keeper.calm();
    sim::spawn(keeper.clone().keep());
    if !serve(&world, &recorder, "a new cluster", &world.machines(), PROMPTLY).await {
        return (world.digest(), sim::elapsed(), 0);
    }
    keeper.storm();
    world.set_weather(plan.weather.clone());

    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = Vec::new();
    for number in 0..plan.clients {
        let worker = Worker {
            number,
            keys: plan.keys,
            world: world.clone(),
            recorder: recorder.clone(),
            chance: chance.fork(),
            stop: stop.clone(),
            answered: answered.clone(),
            memory: Default::default(),
        };
        workers.push(sim::spawn(worker.work()));
    }
    let mut reached = Vec::new();
    for number in 0..plan.watchers {
        let (world, recorder, at) = (world.clone(), recorder.clone(), Arc::new(AtomicU64::new(0)));
        reached.push(at.clone());
        let (chance, history) = (chance.fork(), plan.history as u64);
        sim::spawn(Watcher { number, world, recorder, chance, history, reached: at }.watch());
    }
    faults::storm(plan.clone(), world.clone(), keeper.clone(), chance.fork()).await;

    faults::heal(&keeper);
    // What failed before may be seen a moment later.
    sim::sleep(Duration::from_millis(100)).await;
    keeper.calm();
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.done().await;
    }
    members::settle(&keeper, PROMPTLY).await;
    // Members that were made learners vote again, so that the end is like the beginning.
    for id in world.machines() {
        promote(&world, id).await;
    }
    let all = world.machines();
    let well = serve(&world, &recorder, "a cluster that is well again", &all, PROMPTLY).await;
    let soon = if plan.wan { SOON_FAR } else { SOON };
    if well && endure(&world, &keeper, &mut chance, soon).await {
        agree(&world, &recorder, &reached).await;
    }
    (world.digest(), sim::elapsed(), answered.load(Ordering::Relaxed))
}

async fn promote(world: &World, member: u64) {
    for id in world.running() {
        if let Some(client) = world.client(id) {
            let _ = sim::timeout(PROMPTLY, client.change_members(Change::Promote { member, force: false })).await;
        }
    }
}

/// The leader goes, and as many others as a cluster survives: the rest serves on. Then they come back.
async fn endure(world: &World, keeper: &Arc<Keeper>, chance: &mut Chance, soon: Duration) -> bool {
    let all = world.machines();
    let mut leaders = all.iter().filter_map(|id| world.client(*id));
    let Some(leader) = leaders.find(|client| client.leadership().leading.is_some()) else { return true };
    let voters: Vec<u64> =
        leader.status().members.iter().filter(|member| member.voter).map(|member| member.id).collect();
    let mut down = vec![leader.member()];
    let mut others: Vec<u64> = voters.iter().copied().filter(|id| !down.contains(id)).collect();
    let survives = voters.len().saturating_sub(1) / 2;
    while down.len() < survives && !others.is_empty() {
        down.push(others.remove(chance.range(0..others.len() as u64) as usize));
    }
    down.truncate(survives);
    if down.is_empty() {
        return true;
    }
    keeper.hold(&down);
    for id in &down {
        world.crash(*id, if chance.percent(50) { Crash::Power } else { Crash::Process });
    }
    let rest: Vec<u64> = all.iter().copied().filter(|id| !down.contains(id)).collect();
    let served = serve(world, &keeper.recorder, &format!("what is left without {down:?}"), &rest, soon).await;
    keeper.hold(&[]);
    served && serve(world, &keeper.recorder, "a cluster whose members came back", &all, PROMPTLY).await
}

/// Each of these members takes a write, gives a linearizable read, and is ready.
async fn serve(world: &World, recorder: &Recorder, what: &str, members: &[u64], within: Duration) -> bool {
    let began = sim::elapsed();
    let mut missing: BTreeMap<u64, String> = members.iter().map(|id| (*id, "it is not up".into())).collect();
    let mut writes = 0;
    while sim::elapsed() < began + within {
        // One that was removed, as its replacement may bring about late, is gone.
        missing.retain(|id, _| world.machines().contains(id));
        for id in missing.keys().copied().collect::<Vec<_>>() {
            let Some(client) = world.client(id) else { continue };
            writes += 1;
            let op = Op::Put {
                key: key(1_000 + id),
                meta: Arc::new(Meta::default()),
                body: Body::plain(recorder.value().to_string()),
            };
            let asked = async {
                match client.propose(Txn { ops: vec![op], ..Txn::default() }).await {
                    Ok(Outcome::Committed(_)) => {
                        client.read().await.map_err(|error| format!("read: {error}"))?;
                        let health = client.health();
                        if health.ready { Ok(()) } else { Err(format!("not ready: {}", health.reason)) }
                    }
                    Ok(other) => Err(format!("write: {other:?}")),
                    Err(error) => Err(format!("write: {error}")),
                }
            };
            match sim::timeout(Duration::from_secs(15), asked).await {
                Some(Ok(())) => drop(missing.remove(&id)),
                Some(Err(error)) => drop(missing.insert(id, error)),
                None => drop(missing.insert(id, "no answer".into())),
            }
        }
        if missing.is_empty() {
            return true;
        }
        sim::sleep(Duration::from_millis(100)).await;
    }
    recorder.fail(format!("{what} does not serve within {within:?} ({writes} attempts): {missing:?}"));
    false
}

/// All members come to the same state and the same log, and watchers to the end of it.
async fn agree(world: &World, recorder: &Recorder, reached: &[Arc<AtomicU64>]) {
    let began = sim::elapsed();
    loop {
        let revisions: Vec<u64> =
            world.machines().iter().filter_map(|id| world.client(*id)).map(|c| c.view().revision()).collect();
        let newest = revisions.iter().copied().max().unwrap_or(0);
        let whole = revisions.len() == world.machines().len() && revisions.iter().all(|at| *at == newest);
        if whole && reached.iter().all(|at| at.load(Ordering::Relaxed) == newest) {
            break;
        }
        if sim::elapsed() > began + PROMPTLY {
            recorder.fail(format!("members are at revisions {revisions:?}, watchers at {reached:?}"));
            return;
        }
        sim::sleep(Duration::from_millis(20)).await;
    }
    let clients: Vec<_> = world.machines().into_iter().filter_map(|id| world.client(id)).collect();
    let floor = clients.iter().map(|client| observers::floor(&client.view())).max().unwrap_or(0);
    let newest = clients.iter().map(|client| client.view().revision()).min().unwrap_or(0);
    for client in clients {
        let id = client.member();
        observers::all(&client, recorder);
        for part in 0..LISTS {
            observers::exact(&client, recorder, floor + newest.saturating_sub(floor) * part / LISTS);
        }
        match client.log(0).await {
            Ok(entries) => {
                for (index, term, digest) in entries {
                    recorder.see(Seen::Entry { member: id, index, term, digest });
                }
            }
            Err(error) => recorder.fail(format!("the log of member {id} cannot be read: {error}")),
        }
    }
}

impl Report {
    /// A run that ended in a panic.
    pub fn panicked(seed: u64, what: &str) -> Self {
        Self {
            seed,
            plan: format!("{:?}", Plan::of(seed)),
            broken: vec![format!("panic: {what}")],
            events: Vec::new(),
            messages: Vec::new(),
            simulated: Duration::ZERO,
            answered: 0,
            changes: 0,
            terms: 0,
            digest: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use raftsman_store::sim::Weather;

    #[test]
    fn a_seed_is_one_run() {
        for seed in [3, 20] {
            let (first, second) = (run(seed), run(seed));
            assert_eq!(first.broken, Vec::<String>::new());
            assert!(first.answered > 0);
            assert_eq!(first.digest, second.digest, "seed {seed}");
        }
        assert_ne!(run(3).digest, run(4).digest);
    }

    #[test]
    fn a_member_that_is_down_is_called_only_now_and_then() {
        let calls = sim::run(1, async {
            let world = Arc::new(World::new(1, 3, |_| {}));
            // On the way no time passes: who does not wait by itself never waits.
            world.set_weather(Weather { most: 1, ..Weather::default() });
            let (recorder, all) = (Recorder::default(), world.machines());
            for id in &all {
                world.start(*id).await.unwrap();
            }
            assert!(serve(&world, &recorder, "a new cluster", &all, PROMPTLY).await);
            world.crash(3, Crash::Process);
            assert!(serve(&world, &recorder, "what is left", &[1, 2], PROMPTLY).await);
            let before = world.events();
            sim::sleep(Duration::from_secs(5)).await;
            world.events() - before
        });
        // Heartbeats are four messages in 30 ms.
        let calls = calls.expect("it is stuck: a member that is down is called without end");
        assert!(calls < 2_000, "{calls} messages in 5 s");
    }
}
