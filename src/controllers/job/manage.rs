//! How many pods run, and which.

use super::members::Member;
use super::{Tally, Work, backoff, count, make};
use crate::objects::PODS;
use crate::{Action, Key, Propagation, pods};
use k8s_openapi::api::batch::v1::JobCondition;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Pods made or ended by one plan at most.
const BURST: usize = 500;

fn delete(work: &Work<'_>, member: &Member) -> Vec<Action> {
    let told = format!("Deleted pod: {}", member.object.key.name());
    vec![
        Action::Delete {
            key: member.object.key.clone(),
            uid: member.object.meta.uid.clone(),
            revision: None,
            grace: None,
            propagation: Some(Propagation::Background),
        },
        work.event(true, "SuccessfulDelete", told),
    ]
}

/// Ends what still runs of a job that has come to its end. Who is killed for a failure stays tracked until it is counted;
/// who is killed because others were enough is not counted at all.
pub(super) fn end_all(work: &mut Work<'_>, tally: &Tally, decided: &JobCondition) {
    for member in tally.members.iter().filter(|member| member.is_active()).take(BURST) {
        let chain = if decided.type_ == "SuccessCriteriaMet" { forget(work, member) } else { delete(work, member) };
        work.plan.chain(chain);
    }
}

/// Takes a pod away without counting it.
fn forget(work: &Work<'_>, member: &Member) -> Vec<Action> {
    let untrack = member.tracked.then(|| member.untrack());
    untrack.into_iter().chain(delete(work, member)).collect()
}

/// Brings the number of pods nearer to what is wanted; gives how many are then active.
pub(super) fn manage(work: &mut Work<'_>, tally: &Tally, active: usize) -> usize {
    let running: Vec<&Member> = tally.members.iter().filter(|member| member.is_active()).collect();
    if work.is_suspended() {
        for member in running.iter().take(BURST) {
            let chain = forget(work, member);
            work.plan.chain(chain);
        }
        return active;
    }
    let parallelism = usize::try_from(work.spec.parallelism.unwrap_or(1)).unwrap_or(0);
    let wanted = match work.completions() {
        None if tally.succeeded > 0 => active,
        None => parallelism,
        Some(completions) => (completions as usize).saturating_sub(tally.succeeded).min(parallelism),
    };
    let excess = excess(work, &running, active.saturating_sub(wanted));
    if !excess.is_empty() {
        for member in excess.iter().take(BURST) {
            let chain = forget(work, member);
            work.plan.chain(chain);
        }
        return active;
    }
    let terminating = if work.replaces_only_failed() {
        tally.members.iter().filter(|member| member.is_terminating()).count()
    } else {
        0
    };
    let missing = wanted.saturating_sub(active + terminating).min(BURST);
    active + if missing > 0 { make_missing(work, tally, missing) } else { 0 }
}

/// Makes so many pods, or as many as may be tried again by now; gives how many.
fn make_missing(work: &mut Work<'_>, tally: &Tally, missing: usize) -> usize {
    let per_index = work.spec.backoff_limit_per_index.is_some();
    if !per_index {
        let left = backoff::job(work, tally);
        if !left.is_zero() {
            work.plan.requeue(left);
            return 0;
        }
    }
    if !work.is_indexed() {
        (0..missing).for_each(|salt| create(work, None, None, salt as u64));
        return missing;
    }
    let former = count::to_succeed(work, tally);
    let mut made = 0;
    for (salt, index) in pending(work, tally).take(missing).enumerate() {
        let former = former.get(&index).copied();
        if let Some(former) = former
            && let Some(last) = former.ended_at()
        {
            let failures = u32::try_from(make::failures(&former.pod).all()).unwrap_or(0).saturating_add(1);
            let left = backoff::left(failures, last, work.now.time);
            if !left.is_zero() {
                work.plan.requeue(left);
                continue;
            }
        }
        create(work, Some(index), former, salt as u64);
        made += 1;
    }
    made
}

/// Indexes that are neither done nor given up nor under way, lowest first.
fn pending<'a>(work: &Work<'_>, tally: &'a Tally) -> impl Iterator<Item = u32> + 'a {
    let only_failed = work.replaces_only_failed();
    let busy = tally.members.iter().filter(|member| member.is_active() || (only_failed && member.is_terminating()));
    let busy: std::collections::BTreeSet<u32> = busy.filter_map(|member| member.index).collect();
    (0..work.completions().unwrap_or(0)).filter(move |index| {
        let given_up = tally.given_up.as_ref().is_some_and(|given_up| given_up.has(*index));
        !busy.contains(index) && !tally.done.has(*index) && !given_up
    })
}

fn create(work: &mut Work<'_>, index: Option<u32>, former: Option<&Member>, salt: u64) {
    let prefix = make::prefix(work, index);
    // Salts of one plan lie far apart, so that a name that is taken does not lead to a neighbour's.
    let free = (0..16_u64).map(|attempt| {
        let name = work.now.name(&prefix, (attempt << 32) | salt);
        (Key::new(&PODS, work.namespace(), &name), name)
    });
    let free = free.into_iter().find(|(key, _)| work.view.get(key).is_none());
    let Some((key, name)) = free else {
        return;
    };
    if let Some(object) = make::pod(work, &name, index, former) {
        let told = work.event(true, "SuccessfulCreate", format!("Created pod: {name}"));
        work.plan.gradually(vec![Action::Create { key, object }, told]);
    }
}

/// Pods too many: of an indexed job those without an index of their own, then those that are worth least.
fn excess<'a>(work: &Work<'_>, running: &[&'a Member], least: usize) -> Vec<&'a Member> {
    let mut ranked: Vec<&Member> = running.to_vec();
    ranked.sort_by_key(|member| worth(member));
    let mut gone = Vec::new();
    if work.is_indexed() {
        let mut best: BTreeMap<u32, &Member> = BTreeMap::new();
        for member in &ranked {
            match member.index.filter(|_| member.is_valid(work)) {
                // Worth more than the one before it.
                Some(index) => gone.extend(best.insert(index, member)),
                None => gone.push(member),
            }
        }
        ranked.retain(|member| gone.iter().all(|gone| gone.uid() != member.uid()));
    }
    let more = least.saturating_sub(gone.len());
    gone.extend(ranked.into_iter().take(more));
    gone
}

/// Less for pods in earlier stages.
fn worth(member: &Member) -> impl Ord + use<> {
    let phase = match pods::phase(&member.pod) {
        "Running" => 2,
        "Pending" => 0,
        _ => 1,
    };
    let created = member.pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (pods::node_name(&member.pod).is_some(), phase, member.is_ready(), Reverse(created), member.uid().to_owned())
}
