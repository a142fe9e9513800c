//! What a member does by itself: watching its health, and as leader keeping histories bounded.

use crate::border::Health;
use crate::config::HistoryLimits;
use crate::member::{Core, bootstrap};
use crate::raft::types::Member;
use crate::rt;
use futures::future::join_all;
use raftsman_state::{Compare, Keep, Op, Resource, Table, Txn, View};
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

/// Without a linearizable read for so long a member is not ready.
const READY: Duration = Duration::from_secs(3);

/// When nobody reads, a read for health happens about so often.
const PROBE: Duration = Duration::from_secs(1);

/// How often histories are looked at.
const COMPACT_EVERY: Duration = Duration::from_secs(1);

/// Changes that one transaction forgets at most, in all resources together: applying it must not hold up heartbeats. With
/// [`COMPACT_AGAIN`] that is more than any cluster writes.
const COMPACT_STEP: usize = 4096;

/// How soon the next step follows while histories are too long.
const COMPACT_AGAIN: Duration = Duration::from_millis(100);

/// Keeps [`Core::health`] true until the store is gone.
pub(crate) async fn watch_health(core: Weak<Core>) {
    let mut reason = String::from("no linearizable read yet");
    loop {
        let Some(core) = core.upgrade() else { break };
        if core.ended.borrow().is_some() {
            break;
        }
        if core.since_read().is_none_or(|since| since >= PROBE) {
            match rt::timeout(PROBE, core.read()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => reason = error.to_string(),
                Err(_) => reason = "a linearizable read takes more than a second".into(),
            }
            if core.since_read().is_none_or(|since| since >= READY) {
                ask_whether_removed(&core).await;
            }
        }
        // Who counts on this master when it takes another one away counts on its vote.
        let votes = core.door.votes();
        if !votes {
            reason = "it does not vote yet: it has just started, or has an empty disk and is catching up".into();
        }
        let stalled = core.door.is_stalled();
        if stalled {
            reason = "its disk does not answer".into();
        }
        let ready = votes && !stalled && core.since_read().is_some_and(|since| since < READY);
        let health = Health { ready, reason: if ready { String::new() } else { reason.clone() } };
        core.health.send_if_modified(|before| {
            // Whoever ended it meanwhile has said why.
            let changed = *before != health && core.ended.borrow().is_none();
            if changed {
                *before = health;
            }
            changed
        });
        if ready {
            // It follows: what an earlier transfer left is of no use.
            core.door.tidy().await;
        }
        drop(core);
        rt::sleep(Duration::from_millis(200)).await;
    }
}

/// Nobody calls a member that was removed. One that stands for election hears of it; a learner, or one that was removed before
/// it had anything of the log, has to ask.
async fn ask_whether_removed(core: &Core) {
    if core.raft.get().is_none() {
        return;
    }
    let me = core.config.member;
    let mut others: BTreeMap<u64, Member> =
        core.config.members.iter().map(|member| (member.id, member.into())).collect();
    let present = core.seen.borrow().members.clone();
    others.extend(present.nodes().map(|(id, node)| (*id, node.clone())));
    others.remove(&me);
    let asked = others.iter().map(|(id, node)| bootstrap::ask(&*core.transport, me, *id, node));
    for answer in join_all(asked).await {
        if let Err((_, error)) = answer {
            core.notice(&error);
        }
    }
}

/// As leader, moves up the floors of histories that have grown too long.
pub(crate) async fn compact_history(core: Weak<Core>) {
    let mut pause = COMPACT_EVERY;
    loop {
        rt::sleep(pause).await;
        pause = COMPACT_EVERY;
        let Some(core) = core.upgrade() else { break };
        if core.ended.borrow().is_some() {
            break;
        }
        let leading = core.leadership.borrow().leading;
        if let Some(term) = leading
            && let Some(txn) = plan_compaction(&core.published.view(), core.config.history, term)
        {
            match core.propose(txn).await {
                Ok(_) => pause = COMPACT_AGAIN,
                Err(error) => tracing::warn!(%error, "histories were not compacted"),
            }
        }
    }
}

/// The floors to move: where a history is a tenth longer than its limit, down to the limit or as far as its share of one step
/// goes.
fn plan_compaction(view: &View, limits: HistoryLimits, term: u64) -> Option<Txn> {
    let due: Vec<(&Resource, &Table, usize, u64)> = view
        .tables()
        .filter_map(|(resource, table)| {
            let (changes, bytes) = match resource.plural() {
                "events" => (limits.events, limits.event_bytes),
                _ => (limits.changes, limits.bytes),
            };
            let due = table.history_len() > changes + changes / 10 || table.history_bytes() > bytes + bytes / 10;
            due.then_some((resource, table, changes, bytes))
        })
        .collect();
    let step = (COMPACT_STEP / due.len().max(1)).max(1);
    let ops: Vec<Op> = due
        .into_iter()
        .filter_map(|(resource, table, changes, bytes)| {
            let floor = table.floor_keeping(Keep { changes, bytes, step })?;
            Some(Op::Compact { resource: resource.clone(), floor })
        })
        .collect();
    (!ops.is_empty()).then(|| Txn { compares: vec![Compare::Term(term)], ops, origin: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_state::{Body, Key, Meta, State};
    use std::sync::Arc;

    #[test]
    fn only_long_histories_are_compacted_each_to_its_limit() {
        let mut state = State::default();
        let put = |resource: &str| Txn {
            ops: vec![Op::Put {
                key: Key::new(&Resource::from(resource), "a", "b"),
                meta: Arc::new(Meta::default()),
                body: Body::plain("{}"),
            }],
            ..Txn::default()
        };
        for _ in 0..12 {
            state.apply(1, &put("pods"));
            state.apply(1, &put("events"));
        }
        let limits = HistoryLimits { changes: 20, events: 10, ..HistoryLimits::default() };
        let txn = plan_compaction(&state.view(), limits, 3).unwrap();
        assert_eq!(txn.compares, vec![Compare::Term(3)]);
        assert_eq!(txn.ops, vec![Op::Compact { resource: Resource::from("events"), floor: 4 }]);
        state.apply(3, &txn);
        assert_eq!(plan_compaction(&state.view(), limits, 3), None);
    }

    #[test]
    fn a_long_history_is_compacted_in_steps() {
        let mut state = State::default();
        let pods = Resource::from("pods");
        let op = Op::Put { key: Key::new(&pods, "a", "b"), meta: Arc::new(Meta::default()), body: Body::plain("{}") };
        let long = COMPACT_STEP as u64 * 2 + 500;
        for _ in 0..long {
            state.apply(1, &Txn { ops: vec![op.clone()], ..Txn::default() });
        }
        let limits = HistoryLimits { changes: 20, events: 10, ..HistoryLimits::default() };
        let mut floors = Vec::new();
        while let Some(txn) = plan_compaction(&state.view(), limits, 1) {
            state.apply(1, &txn);
            floors.push(state.view().table(&pods).unwrap().floor());
        }
        let step = COMPACT_STEP as u64;
        assert_eq!(floors, [step, step * 2, long - 20]);
    }

    #[test]
    fn one_step_is_shared_by_all_long_histories() {
        let mut state = State::default();
        let resources = ["pods", "secrets", "nodes", "leases"].map(Resource::from);
        for _ in 0..COMPACT_STEP {
            for resource in &resources {
                let (key, body) = (Key::new(resource, "a", "b"), Body::plain("{}"));
                let op = Op::Put { key, meta: Arc::new(Meta::default()), body };
                state.apply(1, &Txn { ops: vec![op], ..Txn::default() });
            }
        }
        let limits = HistoryLimits { changes: 20, ..HistoryLimits::default() };
        let held = |state: &State| {
            let view = state.view();
            resources.each_ref().map(|resource| view.table(resource).unwrap().history_len())
        };
        let (mut before, mut steps) = (held(&state), 0);
        while let Some(txn) = plan_compaction(&state.view(), limits, 1) {
            state.apply(1, &txn);
            let after = held(&state);
            let forgotten: usize = before.iter().zip(&after).map(|(before, after)| before - after).sum();
            assert!(forgotten <= COMPACT_STEP, "{forgotten} at once");
            (before, steps) = (after, steps + 1);
        }
        assert_eq!((before, steps), ([20; 4], 4));
    }

    #[test]
    fn large_changes_are_forgotten_by_their_bytes_and_leave_others_alone() {
        let mut state = State::default();
        let put = |resource: &str, size: usize| Txn {
            ops: vec![Op::Put {
                key: Key::new(&Resource::from(resource), "a", "b"),
                meta: Arc::new(Meta::default()),
                body: Body::plain("x".repeat(size)),
            }],
            ..Txn::default()
        };
        for _ in 0..10 {
            state.apply(1, &put("configmaps", 10_000));
            state.apply(1, &put("pods", 100));
        }
        let limits = HistoryLimits { bytes: 50_000, ..HistoryLimits::default() };
        let txn = plan_compaction(&state.view(), limits, 1).unwrap();
        // Six of ten: four are 41 kB, five would be 51 kB.
        assert_eq!(txn.ops, vec![Op::Compact { resource: Resource::from("configmaps"), floor: 11 }]);
        state.apply(1, &txn);
        let view = state.view();
        let held = |resource: &str| view.table(&Resource::from(resource)).unwrap().history_len();
        assert_eq!((held("configmaps"), held("pods")), (4, 10));
        assert_eq!(plan_compaction(&view, limits, 1), None);
    }
}
