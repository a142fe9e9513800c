#![allow(clippy::unwrap_used, clippy::panic)]

use super::plan::*;
use super::record::{Record, Wants};
use crate::border::Change;
use crate::raft::types::Member;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Voters, learners, and who does not answer; member 1 leads.
fn roster(voters: &[u64], learners: &[u64], silent: &[u64]) -> Roster {
    let seen = |id: u64| Seen {
        member: Member { name: format!("m{id}"), address: format!("10.0.0.{id}:6444") },
        answers: !silent.contains(&id),
        lag: Some(0),
    };
    Roster {
        leader: 1,
        voters: voters.iter().copied().collect(),
        members: voters.iter().chain(learners).map(|id| (*id, seen(*id))).collect(),
        records: BTreeMap::new(),
    }
}

fn record(id: u64, wants: Wants, replaces: Option<u64>) -> (u64, (Record, u64)) {
    let (name, address) = (format!("m{id}"), format!("10.0.0.{id}:6444"));
    (id, (Record { id, name, address, wants, replaces, key: "k".into() }, 7))
}

/// A plan's steps in short, or why there is none.
fn shown(roster: &Roster, change: &Change) -> String {
    match plan(roster, change) {
        Ok(plan) => plan.steps.iter().map(step).collect::<Vec<_>>().join(" "),
        Err(Refusal::Refused(why)) => format!("no: {why}"),
        Err(Refusal::Behind(why)) => format!("later: {why}"),
        Err(Refusal::Unknown(why)) => format!("who: {why}"),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::Write(record) => format!("write {} {:?}", record.id, record.wants),
        Step::Learn(id, _) => format!("learn {id}"),
        Step::Vote { come, go, keep } => format!("vote +{come:?} -{go:?}{}", if *keep { " keep" } else { "" }),
        Step::Drain(id) => format!("drain {id}"),
        Step::Forget(id) => format!("forget {id}"),
        Step::Move { id, to, ask } => format!("move {id} {} {}{}", to.name, to.address, if *ask { " ask" } else { "" }),
        Step::HandOver(id) => format!("hand over {id}"),
    }
}

fn add(name: &str, address: &str) -> Change {
    Change::Add { name: name.into(), address: address.into(), voter: true, replaces: None, key: "k".into() }
}

fn promote(member: u64) -> Change {
    Change::Promote { member, force: false }
}

#[test]
fn changes_and_what_they_take() {
    let three = roster(&[1, 2, 3], &[], &[]);
    let learner = roster(&[1, 2, 3], &[4], &[]);
    let dead = roster(&[1, 2, 3], &[4], &[3]);
    let two = roster(&[1, 2], &[], &[]);
    let one = roster(&[1], &[2], &[]);
    let seven = roster(&[1, 2, 3, 4, 5, 6, 7], &[8], &[]);
    let remove = |member| Change::Remove { member };
    let demote = |member| Change::Demote { member };
    let replace = |member, with| Change::Replace { member, with };
    let transfer = |to| Change::Transfer { to };
    for (roster, change, wanted) in [
        (&three, add("m4", "10.0.0.4:6444"), "write 4 Voter learn 4"),
        (&three, add("m3", "10.0.0.9:6444"), "no: there is a master \"m3\" (id 3) already"),
        (&three, add("m4", "10.0.0.3:6444"), "no: 10.0.0.3:6444 is the address of master \"m3\""),
        (&three, add("", "10.0.0.3:6444"), "no: a master needs a name"),
        (&seven, add("m9", "10.0.0.9:6444"), "no: there are 7 voters"),
        (&learner, promote(4), "write 4 Voter vote +{4} -{} keep"),
        (&learner, promote(3), ""),
        (&learner, promote(9), "who: there is no master 9"),
        (&seven, promote(8), "no: there are 7 voters"),
        (&three, demote(2), "write 2 Learner vote +{} -{2} keep"),
        (&three, demote(1), "hand over 2"),
        (&learner, demote(4), "write 4 Learner"),
        (&three, remove(2), "write 2 Gone drain 2 vote +{} -{2}"),
        (&three, remove(1), "hand over 2"),
        (&learner, remove(4), "write 4 Gone drain 4 forget 4"),
        (&three, remove(9), "who: there is no master 9"),
        // The dead one may go, one that lives may not while the dead one counts.
        (&dead, remove(3), "write 3 Gone vote +{} -{3}"),
        (&dead, remove(2), "no: removing m2 would cost the cluster its quorum: of 2 voters 2 are needed and 1 would"),
        (&dead, demote(2), "no: demoting m2 would cost"),
        (&dead, promote(4), "write 4 Voter vote +{4} -{} keep"),
        (&dead, replace(3, 4), "write 4 Voter write 3 Gone vote +{4} -{3}"),
        (&dead, replace(2, 4), "write 4 Voter write 2 Gone drain 2 vote +{4} -{2}"),
        (&learner, replace(1, 4), "hand over 2"),
        (&learner, replace(2, 3), "no: replacing m2 by m3: the new one votes already"),
        (&two, remove(2), "write 2 Gone drain 2 vote +{} -{2}"),
        (&one, remove(1), "no: removing m1 would leave no voter"),
        (&one, demote(1), "no: demoting m1 would leave no voter"),
        (&three, transfer(Some(3)), "hand over 3"),
        (&three, transfer(Some(1)), ""),
        (&three, transfer(None), "hand over 2"),
        (&learner, transfer(Some(4)), "no: m4 does not vote"),
        (&dead, transfer(Some(3)), "no: m3 does not answer"),
        (&one, transfer(None), "no: no other voter answers"),
    ] {
        let found = shown(roster, &change);
        assert!(if wanted.is_empty() { found.is_empty() } else { found.starts_with(wanted) }, "{change:?}: {found}");
    }
}

#[test]
fn addresses_are_changed_where_the_member_answers() {
    let three = roster(&[1, 2, 3], &[], &[]);
    let moved = |address: &str, force| Change::Update { member: 2, name: None, address: Some(address.into()), force };
    assert_eq!(shown(&three, &moved("10.0.0.8:6444", false)), "write 2 Voter move 2 m2 10.0.0.8:6444 ask");
    assert_eq!(shown(&three, &moved("10.0.0.8:6444", true)), "write 2 Voter move 2 m2 10.0.0.8:6444");
    assert_eq!(shown(&three, &moved("10.0.0.2:6444", false)), "");
    assert!(shown(&three, &moved("10.0.0.3:6444", false)).starts_with("no: master \"m3\""));
    let named = Change::Update { member: 1, name: Some("m9".into()), address: None, force: false };
    assert_eq!(shown(&three, &named), "write 1 Voter move 1 m9 10.0.0.1:6444");
}

#[test]
fn a_learner_that_lags_is_waited_for() {
    let mut roster = roster(&[1, 2, 3], &[4], &[]);
    roster.members.get_mut(&4).unwrap().lag = Some(NEAR + 1);
    assert!(shown(&roster, &promote(4)).starts_with("later: m4 catches up"));
    assert!(shown(&roster, &Change::Replace { member: 3, with: 4 }).starts_with("later"));
    assert_eq!(shown(&roster, &Change::Promote { member: 4, force: true }), "write 4 Voter vote +{4} -{} keep");
    roster.members.get_mut(&4).unwrap().answers = false;
    assert!(shown(&roster, &promote(4)).starts_with("later: m4 does not answer"));
}

#[test]
fn an_id_never_comes_back_and_a_request_may() {
    let mut roster = roster(&[1, 2, 3], &[], &[]);
    roster.records.extend([record(9, Wants::Gone, None)]);
    assert_eq!(shown(&roster, &add("m4", "10.0.0.4:6444")), "write 10 Voter learn 10");
    assert_eq!(shown(&roster, &Change::Remove { member: 9 }), "");
    assert!(shown(&roster, &promote(9)).starts_with("who: master 9 was removed"));
    // The same host asks again and gets its id; another host that takes the name is refused.
    let mut roster = self::roster(&[1, 2, 3], &[4], &[]);
    roster.records.extend([record(4, Wants::Voter, None)]);
    let again = plan(&roster, &add("m4", "10.0.0.4:6444")).unwrap();
    assert_eq!((again.member, again.steps), (4, vec![]));
    roster.records.get_mut(&4).unwrap().0.key = "other".into();
    assert!(shown(&roster, &add("m4", "10.0.0.4:6444")).starts_with("no: there is a master"));
}

#[test]
fn what_was_begun_is_ended() {
    let steps = |roster: &Roster| settle(roster).iter().map(step).collect::<Vec<_>>().join(" ");
    // Removed from the voters, not yet from the members.
    let mut begun = roster(&[1, 2, 3], &[4], &[]);
    begun.records.extend([record(4, Wants::Gone, None)]);
    assert_eq!(steps(&begun), "drain 4 forget 4");
    begun.members.get_mut(&4).unwrap().answers = false;
    assert_eq!(steps(&begun), "forget 4");
    // Nothing but the record: forgotten.
    let mut forgotten = roster(&[1, 2, 3], &[], &[]);
    forgotten.records.extend([record(3, Wants::Gone, None)]);
    assert_eq!(steps(&forgotten), "write 3 Voter");
    // Half of a replacement: the old one counts again, and then goes when the new one comes.
    let mut half = roster(&[1, 2, 3], &[4], &[]);
    half.records.extend([record(2, Wants::Gone, None), record(4, Wants::Voter, Some(2))]);
    assert_eq!(steps(&half), "write 2 Voter");
    half.records.extend([record(2, Wants::Voter, None)]);
    assert_eq!(steps(&half), "write 2 Gone drain 2 vote +{4} -{2}");
    let mut whole = roster(&[1, 3, 4], &[2], &[]);
    whole.records.extend([record(2, Wants::Gone, None), record(4, Wants::Voter, Some(2))]);
    assert_eq!(shown(&whole, &Change::Replace { member: 2, with: 4 }), "forget 2");
    // A learner votes when it has caught up, in the place of another if it is to.
    let mut joins = roster(&[1, 2, 3], &[4], &[3]);
    joins.records.extend([record(4, Wants::Voter, None)]);
    assert!(is_pending(&joins));
    assert_eq!(steps(&joins), "vote +{4} -{} keep");
    joins.records.extend([record(4, Wants::Voter, Some(3))]);
    assert_eq!(steps(&joins), "write 3 Gone vote +{4} -{3}");
    joins.members.get_mut(&4).unwrap().lag = None;
    assert_eq!(steps(&joins), "");
    // One that was demoted stays so.
    let mut demoted = roster(&[1, 2, 3], &[4], &[]);
    demoted.records.extend([record(4, Wants::Learner, None)]);
    assert!(!is_pending(&demoted));
    assert_eq!(steps(&demoted), "");
}

/// The voters after a plan.
fn after(roster: &Roster, plan: &Plan) -> BTreeSet<u64> {
    let mut voters = roster.voters.clone();
    for step in &plan.steps {
        if let Step::Vote { come, go, .. } = step {
            voters.extend(come);
            voters.retain(|id| !go.contains(id));
        }
    }
    voters
}

proptest! {
    #[test]
    fn no_plan_costs_the_quorum_or_the_leader(
        voters in prop::collection::btree_set(2u64..9, 0..7),
        learners in prop::collection::btree_set(9u64..12, 0..3),
        silent in prop::collection::btree_set(2u64..12, 0..6),
        member in 1u64..12,
        other in 1u64..12,
        what in 0..5,
    ) {
        let voters: Vec<u64> = std::iter::once(1).chain(voters).collect();
        let roster = roster(&voters, &Vec::from_iter(learners), &Vec::from_iter(silent));
        let change = match what {
            0 => promote(member),
            1 => Change::Demote { member },
            2 => Change::Remove { member },
            3 => Change::Replace { member, with: other },
            _ => Change::Transfer { to: Some(member) },
        };
        if let Ok(plan) = plan(&roster, &change) {
            let next = after(&roster, &plan);
            if next != roster.voters {
                let answering = next.iter().filter(|id| **id == 1 || roster.members[*id].answers).count();
                prop_assert!(answering > next.len() / 2, "{change:?} of {roster:?} gives {next:?}");
                prop_assert!(next.contains(&1), "{change:?} takes the leader away");
                prop_assert!(next.len() <= 7);
                let recorded = plan.steps.iter().position(|step| matches!(step, Step::Write(_)));
                let voted = plan.steps.iter().position(|step| matches!(step, Step::Vote { .. }));
                prop_assert!(recorded < voted, "a change is recorded before it is made");
            }
            for step in &plan.steps {
                if let Step::HandOver(heir) = step {
                    prop_assert!(roster.voters.contains(heir) && roster.members[heir].answers);
                }
            }
        }
    }
}
