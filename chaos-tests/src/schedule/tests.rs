#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use std::collections::BTreeSet;

#[test]
fn a_seed_makes_one_schedule_and_another_seed_another() {
    for scenario in scenarios() {
        let one = generate(scenario, 7, 300);
        assert_eq!(one, generate(scenario, 7, 300), "{}", scenario.name);
        assert_ne!(one.steps, generate(scenario, 8, 300).steps, "{}", scenario.name);
        assert!(!one.steps.is_empty(), "{}", scenario.name);
    }
}

#[test]
fn a_longer_run_begins_like_a_shorter_one_and_nothing_outlasts_its_end() {
    for scenario in scenarios() {
        let (short, long) = (generate(scenario, 3, 120), generate(scenario, 3, 600));
        assert!(short.steps.iter().all(|step| step.at_ms >= 5_000 && step.at_ms + step.for_ms <= 120_000));
        for step in &short.steps {
            assert!(long.steps.contains(step), "{}: {step:?}", scenario.name);
        }
    }
}

#[test]
fn a_schedule_is_written_and_read_back() {
    for scenario in scenarios() {
        let schedule = generate(scenario, 11, 400);
        let text = serde_yaml::to_string(&schedule).unwrap();
        assert_eq!(serde_yaml::from_str::<Schedule>(&text).unwrap(), schedule, "{text}");
    }
    assert!(
        serde_yaml::from_str::<Schedule>("scenario: x\nseconds: 3\nsteps: [{atMs: 1, forMs: 1, fault: no}]").is_err()
    );
}

#[test]
fn every_kind_of_fault_happens_in_some_scenario() {
    let mut kinds = BTreeSet::new();
    for scenario in scenarios() {
        for seed in 0..40 {
            kinds.extend(generate(scenario, seed, 900).steps.iter().map(|step| step.fault.kind()));
        }
    }
    assert_eq!(kinds.len(), 35, "{kinds:?}");
    assert!(!kinds.contains(""));
}

#[test]
fn the_written_schedule_has_every_kind() {
    let written: Schedule = serde_yaml::from_str(include_str!("../../every-fault.yaml")).unwrap();
    let kinds: BTreeSet<String> = written.steps.iter().map(|step| step.fault.kind()).collect();
    assert_eq!(kinds.len(), 35, "{kinds:?}");
    assert!(written.breaks_disks() && written.moves_clocks());
    assert!(written.steps.iter().all(|step| step.at_ms + step.for_ms <= written.seconds * 1000));
}

#[test]
fn the_other_written_schedule_has_what_the_short_scenario_lacks() {
    let written: Schedule = serde_yaml::from_str(include_str!("../../rest.yaml")).unwrap();
    let short = find("short").unwrap();
    let kinds = |schedule: &Schedule| schedule.steps.iter().map(|step| step.fault.kind()).collect::<BTreeSet<_>>();
    let known: BTreeSet<String> = (0..40).flat_map(|seed| kinds(&generate(short, seed, 300))).collect();
    assert!(kinds(&written).is_disjoint(&known), "{known:?}");
    for kind in ["delay", "loss", "full-disk", "clock-jump", "expired-certificate", "add-master"] {
        assert!(kinds(&written).contains(kind), "{kind}");
    }
    assert!(written.breaks_disks() && written.moves_clocks() && written.seconds == 60);
    assert!(written.steps.iter().all(|step| step.at_ms + step.for_ms <= written.seconds * 1000));
}

#[test]
fn a_leader_is_silenced_by_what_takes_it_away_from_all_others() {
    let who = || Who::of("leader");
    let cut = |one_way| Spec::Partition { from: vec![who()], to: vec![Who::of("m2")], one_way };
    let silent = [Spec::Kill { who: who() }, Spec::Pause { who: who() }, Spec::HostLoss { who: who() }];
    let more = [Spec::Unplug { who: who() }, Spec::PowerCut { who: vec![who()] }, cut(false)];
    assert!(silent.iter().chain(&more).all(Spec::silences));
    let not = [Spec::Terminate { who: who() }, cut(true), Spec::SlowDisk { who: who(), iops: 9 }];
    assert!(!not.iter().any(Spec::silences));
}

#[test]
fn a_scenario_is_there_in_which_identities_must_be_given_away() {
    for scenario in scenarios() {
        let must: Vec<bool> = (0..20).map(|seed| generate(scenario, seed, 180).must_move()).collect();
        assert!(must.iter().all(|must| *must == (scenario.name == "fencing")), "{}", scenario.name);
    }
}

#[test]
fn roles_are_found_while_somebody_leads() {
    let masters = ["m1", "m2", "m3"].map(str::to_owned);
    let who = |word: &str, leader| resolve(&Who::of(word), leader, &masters).unwrap();
    assert_eq!(who("leader", Some("m2")), "m2");
    assert_eq!(who("follower-1", Some("m2")), "m1");
    assert_eq!(who("follower-2", Some("m2")), "m3");
    assert_eq!(who("n2", None), "n2");
    assert_eq!(who("leader", None), "m1");
}
