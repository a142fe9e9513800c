//! From a seed to a schedule. Pure.

use super::scenarios::{Lane, Recipe, Scenario};
use super::{Schedule, Spec, Step, Who};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Nothing happens before: the workloads begin.
const CALM_MS: u64 = 5_000;

/// So many seconds without a fault are a long time.
const RARE_S: u64 = 14;

/// The hosts that there are.
const MASTERS: [&str; 3] = ["m1", "m2", "m3"];
const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// The schedule of a seed: the same today and tomorrow.
pub fn generate(scenario: &Scenario, seed: u64, seconds: u64) -> Schedule {
    let mut steps = Vec::new();
    for (number, lane) in scenario.lanes.iter().enumerate() {
        // Each lane has its own: a longer run begins like a shorter one.
        let mut rng = StdRng::seed_from_u64(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        fill(lane, &mut rng, seconds * 1000, &mut steps);
    }
    steps.sort_by_key(|step| step.at_ms);
    Schedule { scenario: scenario.name.to_owned(), seed: Some(seed), seconds, steps }
}

fn fill(lane: &Lane, rng: &mut StdRng, end: u64, steps: &mut Vec<Step>) {
    // Where faults are rare, not all lanes begin at once.
    let spread = if lane.gap.0 > RARE_S { lane.gap.0 * 1000 } else { 3_000 };
    let mut at = CALM_MS + rng.random_range(0..spread);
    loop {
        let hold = rng.random_range(lane.hold.0 * 1000..=lane.hold.1 * 1000);
        let Ok((_, recipe)) = lane.recipes.choose_weighted(rng, |(weight, _)| *weight) else { return };
        let made = cook(*recipe, rng, at, hold);
        let over = made.iter().map(|step| step.at_ms + step.for_ms).max().unwrap_or(at);
        if over > end {
            return;
        }
        steps.extend(made);
        at = over + rng.random_range(lane.gap.0 * 1000..=lane.gap.1 * 1000);
    }
}

fn cook(recipe: Recipe, rng: &mut StdRng, at: u64, hold: u64) -> Vec<Step> {
    let master = Who::of(MASTERS.choose(rng).unwrap_or(&"m1"));
    let node = Who::of(NODES.choose(rng).unwrap_or(&"n1"));
    let any = if rng.random_bool(0.7) { master.clone() } else { node.clone() };
    let leader = Who::of("leader");
    let pick = rng.random_range(0..1000);
    let one = |fault| vec![Step { at_ms: at, for_ms: hold, fault }];
    let short = |most: u64, fault| vec![Step { at_ms: at, for_ms: hold.min(most), fault }];
    match recipe {
        Recipe::KillLeader => one(Spec::Kill { who: leader }),
        Recipe::KillMaster => one(Spec::Kill { who: master }),
        Recipe::TerminateMaster => one(Spec::Terminate { who: master }),
        Recipe::PauseLeader => one(Spec::Pause { who: leader }),
        Recipe::PauseMaster => one(Spec::Pause { who: master }),
        Recipe::LoseMaster => one(Spec::HostLoss { who: master }),
        Recipe::KillAgent => short(10_000, Spec::Kill { who: node }),
        Recipe::TerminateAgent => short(10_000, Spec::Terminate { who: node }),
        Recipe::PauseAgent => one(Spec::Pause { who: node }),
        Recipe::KillSupervisor => short(2_000, Spec::KillSupervisor { who: node, pick }),
        Recipe::TerminateSupervisor => short(2_000, Spec::TerminateSupervisor { who: node, pick }),
        Recipe::PauseSupervisor => one(Spec::PauseSupervisor { who: node, pick }),
        Recipe::KillGuard => short(2_000, Spec::KillGuard { who: node, pick }),
        Recipe::TerminateGuard => short(2_000, Spec::TerminateGuard { who: node, pick }),
        Recipe::PauseGuard => one(Spec::PauseGuard { who: node, pick }),
        Recipe::TerminateContainer => short(2_000, Spec::TerminateContainer { who: node, pick }),
        Recipe::KillContainer => short(2_000, Spec::KillContainer { who: node, pick }),
        Recipe::PauseContainer => one(Spec::PauseContainer { who: node, pick }),
        Recipe::LoseNode => one(Spec::HostLoss { who: node }),
        Recipe::HoldNode => hold_node(rng, at, hold),
        Recipe::UnplugNode => one(Spec::Unplug { who: node }),
        Recipe::IsolateLeader => one(Spec::Partition { from: vec![leader], to: everyone(), one_way: false }),
        Recipe::SplitHosts => {
            let mut sides = (vec![master], Vec::new());
            for host in NODES {
                let side = if rng.random_bool(0.3) { &mut sides.0 } else { &mut sides.1 };
                side.push(Who::of(host));
            }
            sides.1.extend(MASTERS.iter().map(|host| Who::of(host)).filter(|host| !sides.0.contains(host)));
            one(Spec::Partition { from: sides.0, to: sides.1, one_way: false })
        }
        Recipe::OneWay => {
            let (deaf, others) = (vec![leader], everyone());
            let (from, to) = if rng.random_bool(0.5) { (deaf, others) } else { (others, deaf) };
            one(Spec::Partition { from, to, one_way: true })
        }
        Recipe::FlapMaster => {
            let period_ms = rng.random_range(300..1500);
            one(Spec::Flap { from: vec![master], to: everyone(), period_ms })
        }
        Recipe::NodesWithoutMasters => one(Spec::Partition {
            from: vec![node],
            to: MASTERS.iter().map(|host| Who::of(host)).collect(),
            one_way: false,
        }),
        Recipe::FlapNode => {
            let period_ms = rng.random_range(300..3000);
            one(Spec::Flap { from: vec![node], to: everyone(), period_ms })
        }
        Recipe::OneWayNode => one(Spec::Partition {
            from: MASTERS.iter().map(|host| Who::of(host)).collect(),
            to: vec![node],
            one_way: true,
        }),
        Recipe::Loss => one(Spec::Loss { who: any, percent: rng.random_range(5..40) }),
        Recipe::Duplicate => one(Spec::Duplicate { who: any, percent: rng.random_range(10..60) }),
        Recipe::Delay => one(Spec::Delay { who: any, ms: rng.random_range(5..120) }),
        Recipe::SlowLink => one(Spec::SlowLink { who: any, kbit: rng.random_range(500..4000) }),
        Recipe::SlowDisk => one(Spec::SlowDisk { who: any, iops: rng.random_range(10..80) }),
        Recipe::FullDisk => one(Spec::FullDisk { who: any }),
        Recipe::ReadOnlyDisk => one(Spec::ReadOnlyDisk { who: any }),
        Recipe::HungDisk => one(Spec::HungDisk { who: master }),
        Recipe::FailedDisk => one(Spec::FailedDisk { who: master }),
        Recipe::PowerCutOne => one(Spec::PowerCut { who: vec![master] }),
        Recipe::PowerCutAll => one(Spec::PowerCut { who: MASTERS.iter().map(|host| Who::of(host)).collect() }),
        Recipe::PowerCutNode => one(Spec::PowerCut { who: vec![node] }),
        Recipe::PowerCutCluster => one(Spec::PowerCut { who: everyone() }),
        Recipe::PowerCutOutvoted => outvoted(rng, at, hold),
        Recipe::AllMastersKilled => MASTERS
            .iter()
            .map(|host| Step { at_ms: at, for_ms: hold, fault: Spec::Kill { who: Who::of(host) } })
            .collect(),
        Recipe::StarveMaster => one(Spec::Starve { who: master, percent: rng.random_range(2..10) }),
        Recipe::StarveAgent => one(Spec::Starve { who: node, percent: rng.random_range(2..10) }),
        Recipe::StarveHost => one(Spec::StarveHost { who: node, percent: rng.random_range(5..20) }),
        Recipe::ClockJump => {
            let far = rng.random_range(1..7200);
            one(Spec::ClockJump { who: any, seconds: if rng.random_bool(0.5) { far } else { -far } })
        }
        Recipe::ExpiredMaster => one(Spec::ExpiredCertificate { who: master }),
        Recipe::ExpiredNode => short(9_000, Spec::ExpiredCertificate { who: node }),
        Recipe::RollingRestart => vec![Step { at_ms: at, for_ms: 60_000, fault: Spec::RollingRestart }],
        Recipe::Transfer => short(1_000, Spec::Transfer { who: master }),
        Recipe::AddMaster => one(Spec::AddMaster),
        Recipe::ReplaceMaster => vec![Step { at_ms: at, for_ms: 30_000, fault: Spec::ReplaceMaster { who: master } }],
        Recipe::AddNode => one(Spec::AddNode),
    }
}

/// One follower hears nothing while the others acknowledge; then those lose their power, and the one that was away decides
/// together with the first that is back. Whatever that one acknowledged and had not synced is lost for all.
fn outvoted(rng: &mut StdRng, at: u64, hold: u64) -> Vec<Step> {
    let alone = rng.random_range(2_000..5_000);
    let away = hold.min(4_000);
    // Hosts by name, so that nobody changes places on the way.
    let mut order = MASTERS;
    for last in (1..order.len()).rev() {
        order.swap(last, rng.random_range(0..=last));
    }
    let [behind, back, late] = order.map(Who::of);
    let cut = Spec::Partition { from: vec![behind], to: everyone(), one_way: false };
    vec![
        Step { at_ms: at, for_ms: alone + 500, fault: cut },
        Step { at_ms: at + alone, for_ms: away, fault: Spec::PowerCut { who: vec![back] } },
        Step { at_ms: at + alone, for_ms: away + 7_000, fault: Spec::PowerCut { who: vec![late] } },
    ]
}

/// A node's promise holds for 30 s (raftsman_api::fencing), and a leader that heard of it waits for 33.6 s in all.
const PROMISE_MS: u64 = 30_000;

/// A node is away for so long that its identities are given away. Meanwhile the leader may be hit, early or just then; so may
/// those who freeze its pods, as far as they are still there.
fn hold_node(rng: &mut StdRng, at: u64, hold: u64) -> Vec<Step> {
    let node = Who::of(NODES.choose(rng).unwrap_or(&"n1"));
    let masters = MASTERS.iter().map(|host| Who::of(host)).collect();
    let alive = rng.random_range(0..4) > 0;
    let fault = match rng.random_range(0..3) {
        _ if !alive => Spec::HostLoss { who: node.clone() },
        0 => Spec::Unplug { who: node.clone() },
        1 => Spec::Partition { from: vec![node.clone()], to: masters, one_way: false },
        _ => Spec::Pause { who: node.clone() },
    };
    let leader = || Who::of("leader");
    let hit = if rng.random_bool(0.6) { Spec::Kill { who: leader() } } else { Spec::Pause { who: leader() } };
    // Whoever leads from then on waits anew: the node stays away for longer.
    let (when, more) = match rng.random_range(0..4) {
        0 => (Some(rng.random_range(2_000..9_000)), 10_000),
        1 => (Some(rng.random_range(PROMISE_MS - 2_000..PROMISE_MS + 5_000)), PROMISE_MS),
        _ => (None, 0),
    };
    let pick = rng.random_range(0..1000);
    let own = match rng.random_range(0..6) {
        0 => Spec::KillSupervisor { who: node, pick },
        1 => Spec::PauseSupervisor { who: node, pick },
        2 => Spec::TerminateSupervisor { who: node, pick },
        3 => Spec::KillGuard { who: node, pick },
        4 => Spec::PauseGuard { who: node, pick },
        _ => Spec::TerminateGuard { who: node, pick },
    };
    let before = rng.random_range(500..10_000);
    let mut steps = vec![Step { at_ms: at, for_ms: hold + more, fault }];
    steps.extend(when.map(|when| Step { at_ms: at + when, for_ms: 4_000, fault: hit }));
    if alive {
        steps.push(Step { at_ms: at + PROMISE_MS - before, for_ms: before + 8_000, fault: own });
    }
    steps
}

fn everyone() -> Vec<Who> {
    MASTERS.iter().chain(&NODES).map(|host| Who::of(host)).collect()
}
