//! `apply` by examples and against a model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{Applied, Body, Compare, Key, Meta, Object, Op, Origin, Outcome, Owner, Resource, State, Txn, View};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn key(resource: &str, name: &str) -> Key {
    Key::new(&Resource::from(resource), "default", name)
}

fn body(text: &str) -> Body {
    let json = format!(r#"{{"metadata":{{"resourceVersion":""}},"data":"{text}"}}"#);
    let at = json.find(r#":"""#).unwrap() + 2;
    Body::spliced(json, at).unwrap()
}

fn meta(uid: &str) -> Arc<Meta> {
    Arc::new(Meta { uid: uid.into(), ..Meta::default() })
}

fn put(key: &Key, text: &str) -> Op {
    Op::Put { key: key.clone(), meta: meta(""), body: body(text) }
}

fn delete(key: &Key) -> Op {
    Op::Delete { key: key.clone() }
}

fn txn(ops: Vec<Op>) -> Txn {
    Txn { ops, ..Txn::default() }
}

fn text(view: &View, key: &Key) -> Option<String> {
    view.get(key).map(|object| String::from_utf8_lossy(&object.json).into_owned())
}

#[test]
fn each_change_takes_the_next_revision_and_carries_it() {
    let mut state = State::default();
    let (a, b) = (key("pods", "a"), key("pods", "b"));
    let applied = state.apply(1, &txn(vec![put(&a, "1"), put(&b, "2"), delete(&key("pods", "none")), delete(&a)]));
    assert_eq!(applied.outcome, Some(Outcome::Committed(vec![1, 2, 0, 3])));
    assert_eq!(applied.changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [1, 2, 3]);
    let gone = &applied.changes[2];
    assert!(gone.deleted);
    assert_eq!(gone.object.json, r#"{"metadata":{"resourceVersion":"3"},"data":"1"}"#);
    assert_eq!(gone.previous.as_ref().unwrap().revision, 1);
    let view = state.view();
    assert_eq!(view.get(&a), None);
    assert_eq!(text(&view, &b).unwrap(), r#"{"metadata":{"resourceVersion":"2"},"data":"2"}"#);
    assert_eq!(view.get(&b).unwrap().body(), body("2"));
}

#[test]
fn compares_hold_or_nothing_changes() {
    let a = key("pods", "a");
    let none = key("pods", "none");
    let object = Op::Put { key: a.clone(), meta: meta("u1"), body: body("1") };
    let deleting =
        Op::Put { key: key("pods", "d"), meta: Arc::new(Meta { deleting: true, ..Meta::default() }), body: body("1") };
    let cases = [
        (Compare::Absent(none.clone()), true, 0),
        (Compare::Absent(a.clone()), false, 1),
        (Compare::Revision(a.clone(), 1), true, 0),
        (Compare::Revision(a.clone(), 2), false, 1),
        (Compare::Revision(none.clone(), 0), false, 0),
        (Compare::Uid(a.clone(), "u1".into()), true, 0),
        (Compare::Uid(a.clone(), "u2".into()), false, 1),
        (Compare::NotDeleting(a.clone()), true, 0),
        (Compare::NotDeleting(key("pods", "d")), false, 2),
        (Compare::NotDeleting(none), false, 0),
        (Compare::Term(7), true, 0),
        (Compare::Term(6), false, 0),
    ];
    for (compare, holds, found) in cases {
        let mut state = State::default();
        state.apply(1, &txn(vec![object.clone(), deleting.clone()]));
        let attempt = Txn { compares: vec![Compare::Term(7), compare.clone()], ops: vec![put(&a, "2")], origin: None };
        let applied = state.apply(7, &attempt);
        if holds {
            assert_eq!(applied.outcome, Some(Outcome::Committed(vec![3])), "{compare:?}");
        } else {
            assert_eq!(applied.outcome, Some(Outcome::Failed { compare: 1, found }), "{compare:?}");
            assert_eq!((applied.changes.len(), state.revision()), (0, 2), "{compare:?}");
        }
    }
}

#[test]
fn a_repeated_origin_gets_its_first_outcome() {
    let mut state = State::default();
    let a = key("pods", "a");
    let create = |sequence, low_water| Txn {
        compares: vec![Compare::Absent(a.clone())],
        ops: vec![put(&a, "1")],
        origin: Some(Origin { member: 1, session: 5, sequence, low_water }),
    };
    let first = state.apply(1, &create(0, 0));
    assert_eq!(first.outcome, Some(Outcome::Committed(vec![1])));
    let again = state.apply(2, &create(0, 0));
    assert_eq!(again, Applied { outcome: Some(Outcome::Committed(vec![1])), ..Applied::default() });
    // Another sequence is another transaction; the mark that it carries ends the first one's memory.
    assert_eq!(state.apply(2, &create(1, 1)).outcome, Some(Outcome::Failed { compare: 0, found: 1 }));
    assert_eq!(state.apply(2, &create(0, 0)).outcome, Some(Outcome::Expired));
    // A new session ends the old one; members do not disturb each other.
    let newer = Txn { origin: Some(Origin { member: 1, session: 6, sequence: 0, low_water: 0 }), ..create(0, 0) };
    assert_eq!(state.apply(2, &newer).outcome, Some(Outcome::Failed { compare: 0, found: 1 }));
    assert_eq!(state.apply(2, &create(1, 1)).outcome, Some(Outcome::Expired));
    let other =
        Txn { origin: Some(Origin { member: 2, session: 1, sequence: 0, low_water: 0 }), ..txn(vec![delete(&a)]) };
    assert_eq!(state.apply(2, &other).outcome, Some(Outcome::Committed(vec![2])));
}

#[test]
fn indexes_follow_objects() {
    let mut state = State::default();
    let a = key("pods", "a");
    let owned = |uid: &str, node: &str| {
        let owner = Owner { uid: "owner".into(), controller: true, block_deletion: false };
        let index = vec![("spec.nodeName".into(), node.into())];
        let meta = Meta { uid: uid.into(), owners: vec![owner], index, ..Meta::default() };
        Op::Put { key: a.clone(), meta: Arc::new(meta), body: body("1") }
    };
    state.apply(1, &txn(vec![owned("u1", "n1")]));
    let before = state.view();
    state.apply(1, &txn(vec![owned("u1", "n2")]));
    let after = state.view();
    assert_eq!(before.by_index("spec.nodeName", "n1").count(), 1);
    assert_eq!(after.by_index("spec.nodeName", "n1").count(), 0);
    assert_eq!(after.by_index("spec.nodeName", "n2").next().unwrap().key, a);
    assert_eq!((after.by_owner("owner").count(), after.by_uid("u1").is_some()), (1, true));
    state.apply(1, &txn(vec![delete(&a)]));
    let gone = state.view();
    assert_eq!((gone.by_owner("owner").count(), gone.by_uid("u1").is_some()), (0, false));
    assert_eq!(gone.by_index("spec.nodeName", "n2").count(), 0);
}

#[test]
fn an_epoch_moves_the_revision_and_every_floor() {
    let mut state = State::default();
    let a = key("pods", "a");
    state.apply(1, &txn(vec![put(&a, "1"), put(&a, "2")]));
    let applied = state.apply(1, &txn(vec![Op::BeginEpoch { revision: 1000, epoch: 0 }]));
    assert_eq!((applied.dropped, applied.floors), (vec![1], vec![(Resource::from("pods"), 1000)]));
    assert_eq!((state.view().epoch(), state.revision(), state.base_floor()), (1, 1000, 1000));
    let applied = state.apply(1, &txn(vec![put(&key("secrets", "s"), "1")]));
    assert_eq!(applied.outcome, Some(Outcome::Committed(vec![1001])));
    for resource in ["pods", "secrets"] {
        let view = state.view();
        let resource = Resource::from(resource);
        assert!(view.changes_after(&resource, 999).is_err(), "{resource}");
        assert!(view.changes_after(&resource, 1000).is_ok(), "{resource}");
    }
    assert!(state.view().changes_after(&Resource::from("pods"), u64::MAX).unwrap().next().is_none());
    // What a resource that holds nothing now may have held before is not known either.
    let (view, nodes) = (state.view(), Resource::from("nodes"));
    assert!(view.changes_after(&nodes, 999).is_err() && view.table_at(&nodes, 999).is_err());
    assert!(view.changes_after(&nodes, 1000).is_ok() && view.table_at(&nodes, 1000).is_ok());
    // The next one has the number that it is given, unless that is no higher.
    for (given, taken) in [(70, 70), (70, 71), (3, 72)] {
        state.apply(1, &txn(vec![Op::BeginEpoch { revision: 0, epoch: given }]));
        assert_eq!((state.epoch(), state.revision()), (taken, 1001));
    }
}

/// A step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Txn(Txn),
    Compact { resource: usize, back: u64 },
    Epoch { ahead: u64 },
}

const RESOURCES: [&str; 2] = ["pods", "apps/deployments"];

fn op() -> impl Strategy<Value = Op> {
    let place = (0..2usize, 0..4u8).prop_map(|(resource, name)| key(RESOURCES[resource], &format!("o{name}")));
    (place, any::<u8>(), 0..4u8).prop_map(|(key, value, kind)| match kind {
        0 => delete(&key),
        _ => Op::Put { meta: meta(&format!("u{}", value % 5)), key, body: body(&value.to_string()) },
    })
}

fn step() -> impl Strategy<Value = Step> {
    let compare = (0..2usize, 0..4u8, 0..4u8).prop_map(|(resource, name, kind)| {
        let key = key(RESOURCES[resource], &format!("o{name}"));
        if kind == 0 { Compare::Absent(key) } else { Compare::NotDeleting(key) }
    });
    let origin = proptest::option::of((1..3u64, 0..6u64, 0..4u64).prop_map(|(member, sequence, behind)| Origin {
        member,
        session: 1,
        sequence,
        low_water: sequence.saturating_sub(behind),
    }));
    prop_oneof![
        12 => (proptest::collection::vec(compare, 0..2), proptest::collection::vec(op(), 1..4), origin)
            .prop_map(|(compares, ops, origin)| Step::Txn(Txn { compares, ops, origin })),
        2 => (0..2usize, 0..6u64).prop_map(|(resource, back)| Step::Compact { resource, back }),
        1 => (0..50u64).prop_map(|ahead| Step::Epoch { ahead }),
    ]
}

impl Step {
    fn txn(&self, state: &State) -> Txn {
        match self {
            Self::Txn(txn) => txn.clone(),
            Self::Compact { resource, back } => {
                let floor = state.revision().saturating_sub(*back);
                txn(vec![Op::Compact { resource: Resource::from(RESOURCES[*resource]), floor }])
            }
            Self::Epoch { ahead } => txn(vec![Op::BeginEpoch { revision: state.revision() + ahead, epoch: ahead / 2 }]),
        }
    }
}

/// An object as it is stored; nothing for a deletion.
type Content = Option<(Arc<Meta>, Body)>;

/// Storage as the store keeps it: changes by revision, floors.
#[derive(Default)]
struct Stored {
    changes: BTreeMap<u64, (Key, Content)>,
    floors: BTreeMap<String, (Resource, u64)>,
}

impl Stored {
    fn write(&mut self, applied: &Applied) {
        for change in &applied.changes {
            let content = (!change.deleted).then(|| (change.object.meta.clone(), change.object.body()));
            self.changes.insert(change.revision, (change.key().clone(), content));
        }
        for dropped in &applied.dropped {
            assert!(self.changes.remove(dropped).is_some(), "revision {dropped} was dropped and is not stored");
        }
        for (resource, floor) in &applied.floors {
            self.floors.insert(resource.as_str().to_owned(), (resource.clone(), *floor));
        }
    }

    fn load(&self, state: &State) -> State {
        let view = state.view();
        let floors = self.floors.values().cloned();
        let sessions = state.sessions().clone();
        let mut loaded =
            State::restored(view.revision(), view.term(), view.epoch(), state.base_floor(), floors, sessions);
        for (revision, (key, content)) in &self.changes {
            let object = content.clone().map(|(meta, body)| Object::new(key.clone(), meta, &body, *revision));
            loaded.load(key, *revision, object);
        }
        loaded
    }

    /// What has to be kept: the newest change of each key unless it is a tombstone below the floor, every change above
    /// the floor, and what such a change replaced.
    fn needed(&self, view: &View) -> BTreeSet<u64> {
        let mut needed = BTreeSet::new();
        for (_, table) in view.tables() {
            needed.extend(table.list(None, None).map(|object| object.revision));
            for change in table.changes_after(table.floor()).unwrap() {
                needed.insert(change.revision);
                needed.extend(change.previous.as_ref().map(|previous| previous.revision));
            }
        }
        needed
    }
}

/// All that can be seen of a state.
fn seen(state: &State) -> Vec<String> {
    let view = state.view();
    let mut out = vec![format!("{} {} {} {}", view.revision(), view.term(), view.epoch(), state.base_floor())];
    for (resource, table) in view.tables() {
        out.push(format!("{resource} floor {} bytes {}", table.floor(), table.history_bytes()));
        out.extend(table.list(None, None).map(|o| format!("{o:?} {} {:?}", String::from_utf8_lossy(&o.json), o.meta)));
        let changes = table.changes_after(table.floor()).unwrap();
        out.extend(changes.map(|c| format!("{c:?} {}", String::from_utf8_lossy(&c.object.json))));
    }
    for uid in 0..5 {
        let mut found: Vec<String> = view.by_index("uid", &format!("u{uid}")).map(|o| format!("{o:?}")).collect();
        found.sort();
        out.push(format!("u{uid} {found:?}"));
    }
    out.push(format!("{:?}", state.sessions()));
    out
}

/// Objects of one resource at a moment, by name.
fn objects(view: &View, resource: &str) -> BTreeMap<String, Arc<Object>> {
    view.list(&Resource::from(resource), None).map(|o| (o.key.to_string(), o.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_member_that_applies_the_same_log_is_the_same(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut one, mut two) = (State::default(), State::default());
        for (term, step) in steps.iter().enumerate() {
            let txn = step.txn(&one);
            prop_assert_eq!(one.apply(term as u64, &txn), two.apply(term as u64, &txn));
        }
        prop_assert_eq!(seen(&one), seen(&two));
    }

    #[test]
    fn revisions_are_dense_and_failures_change_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let mut state = State::default();
        for step in &steps {
            let before = state.revision();
            let txn = step.txn(&state);
            let content = seen(&state);
            let applied = state.apply(0, &txn);
            if matches!(step, Step::Txn(_)) {
                let taken: Vec<u64> = applied.changes.iter().map(|change| change.revision).collect();
                prop_assert_eq!(&taken, &(before + 1..=state.revision()).collect::<Vec<_>>());
                match applied.outcome.unwrap() {
                    // A repeated origin reports revisions that it took before.
                    Outcome::Committed(revisions) if !taken.is_empty() => {
                        prop_assert_eq!(revisions.into_iter().filter(|r| *r > 0).collect::<Vec<_>>(), taken);
                    }
                    Outcome::Committed(_) => {}
                    _ => {
                        let after = seen(&state);
                        prop_assert_eq!(&after[..after.len() - 1], &content[..content.len() - 1]);
                    }
                }
            }
        }
    }

    #[test]
    fn rolling_back_gives_the_older_view(steps in proptest::collection::vec(step(), 1..60)) {
        let mut state = State::default();
        let mut older = vec![state.view()];
        for step in &steps {
            let txn = step.txn(&state);
            state.apply(0, &txn);
            older.push(state.view());
        }
        let now = state.view();
        for view in &older {
            for resource in RESOURCES {
                let Some(table) = now.table(&Resource::from(resource)) else { continue };
                match table.at(view.revision()) {
                    Ok(then) => {
                        let found: BTreeMap<_, _> =
                            then.list(None, None).map(|o| (o.key.to_string(), o.clone())).collect();
                        prop_assert_eq!(found, objects(view, resource));
                    }
                    Err(compacted) => prop_assert!(view.revision() < compacted.floor),
                }
            }
        }
    }

    #[test]
    fn changes_after_a_view_lead_to_the_present(steps in proptest::collection::vec(step(), 1..60), at in 0..60usize) {
        let mut state = State::default();
        let mut older = state.view();
        for (n, step) in steps.iter().enumerate() {
            let txn = step.txn(&state);
            state.apply(0, &txn);
            if n == at {
                older = state.view();
            }
        }
        let now = state.view();
        for resource in RESOURCES {
            let mut found = objects(&older, resource);
            let Ok(changes) = now.changes_after(&Resource::from(resource), older.revision()) else { continue };
            for change in changes {
                let name = change.key().to_string();
                prop_assert_eq!(found.get(&name), change.previous.as_ref());
                if change.deleted { found.remove(&name); } else { found.insert(name, change.object.clone()); }
            }
            prop_assert_eq!(found, objects(&now, resource));
        }
    }

    #[test]
    fn what_is_stored_is_exactly_what_is_needed_and_loads_the_same(steps in proptest::collection::vec(step(), 1..60)) {
        let mut state = State::default();
        let mut stored = Stored::default();
        for (term, step) in steps.iter().enumerate() {
            let txn = step.txn(&state);
            stored.write(&state.apply(term as u64, &txn));
        }
        let kept: BTreeSet<u64> = stored.changes.keys().copied().collect();
        prop_assert_eq!(kept, stored.needed(&state.view()));
        let mut loaded = stored.load(&state);
        prop_assert_eq!(seen(&loaded), seen(&state));
        // And both go on alike.
        for step in steps.iter().rev() {
            let txn = step.txn(&state);
            prop_assert_eq!(loaded.apply(99, &txn), state.apply(99, &txn));
        }
    }

    #[test]
    fn a_repeated_transaction_never_counts_twice(steps in proptest::collection::vec(step(), 1..40)) {
        let mut state = State::default();
        for step in &steps {
            let txn = step.txn(&state);
            let first = state.apply(0, &txn);
            if txn.origin.is_some() {
                let content = seen(&state);
                let second = state.apply(0, &txn);
                prop_assert_eq!(second, Applied { outcome: first.outcome, ..Applied::default() });
                prop_assert_eq!(seen(&state), content);
            }
        }
    }
}
