//! Counting runs exactly: what is counted, what is about to be, and which finalizers may go.

use super::members::Member;
use super::{Tally, Work, failure, make, nonzero, number};
use k8s_openapi::api::batch::v1::{JobCondition, JobStatus, UncountedTerminatedPods};
use raftsman_api::indexes::Indexes;
use std::collections::{BTreeMap, BTreeSet};

/// Runs waiting to be counted at most, so that the status stays small (upstream `MaxUncountedPods`).
const UNCOUNTED_MOST: usize = 500;

/// Uids of one list of `uncountedTerminatedPods`.
fn uids(list: Option<&Vec<String>>) -> BTreeSet<String> {
    list.into_iter().flatten().cloned().collect()
}

fn uncounted(status: &JobStatus) -> (BTreeSet<String>, BTreeSet<String>) {
    let lists = status.uncounted_terminated_pods.as_ref();
    (uids(lists.and_then(|lists| lists.succeeded.as_ref())), uids(lists.and_then(|lists| lists.failed.as_ref())))
}

/// No run waits to be counted.
pub(super) fn is_settled(status: &JobStatus) -> bool {
    let (succeeded, failed) = uncounted(status);
    succeeded.is_empty() && failed.is_empty()
}

/// Sorts out what the pods say.
pub(super) fn tally(work: &Work<'_>, members: Vec<Member>) -> Tally {
    let (well, badly) = uncounted(&work.status);
    let completions = work.completions().unwrap_or(0);
    let fresh = |known: &BTreeSet<String>, member: &&Member| {
        member.tracked && !known.contains(member.uid()) && member.is_valid(work)
    };
    // One that was declared failed stays so, however it ended.
    let new_well = members.iter().filter(|member| fresh(&well, member) && member.has_succeeded());
    let new_well = new_well.filter(|member| !badly.contains(member.uid())).count();
    let new_badly = members.iter().filter(|member| fresh(&badly, member) && member.has_failed(work));
    let new_badly = new_badly.filter(|member| failure::counts(work.spec, &member.pod)).count();
    let counted = |count: Option<i32>| usize::try_from(count.unwrap_or(0)).unwrap_or(0);
    let mut done = Indexes::default();
    let mut given_up = None;
    let mut succeeded = counted(work.status.succeeded) + well.len() + new_well;
    if work.is_indexed() {
        let before = Indexes::below(work.status.completed_indexes.as_deref().unwrap_or(""), completions);
        let fresh = members.iter().filter(|member| member.tracked && member.is_valid(work) && member.has_succeeded());
        let fresh = fresh.filter(|member| !badly.contains(member.uid()));
        done = before.with(&Indexes::of(fresh.filter_map(|member| member.index)));
        succeeded = done.len();
        if let Some(limit) = work.spec.backoff_limit_per_index {
            let before = Indexes::below(work.status.failed_indexes.as_deref().unwrap_or(""), completions);
            let fresh = members.iter().filter(|member| member.tracked && member.is_valid(work));
            let fresh = fresh.filter(|member| failure::ends_index(work, member, limit));
            let fresh = fresh.filter_map(|member| member.index).filter(|index| !done.has(*index));
            given_up = Some(before.with(&Indexes::of(fresh)));
        }
    }
    let failed = counted(work.status.failed) + badly.len() + new_badly;
    Tally { members, succeeded, failed, done, given_up }
}

/// The failed pod of each index that is to be tried again and has no other pod yet: it stays tracked, because the next
/// pod's count of failures is made of its own.
pub(super) fn to_succeed<'a>(work: &Work<'_>, tally: &'a Tally) -> BTreeMap<u32, &'a Member> {
    let mut last: BTreeMap<u32, &Member> = BTreeMap::new();
    let Some(given_up) = &tally.given_up else {
        return last;
    };
    let active: BTreeSet<u32> =
        tally.members.iter().filter(|member| member.is_active()).filter_map(|member| member.index).collect();
    let failed =
        tally.members.iter().filter(|member| member.tracked && member.is_valid(work) && member.has_failed(work));
    for member in failed {
        let Some(index) = member.index.filter(|index| !active.contains(index)) else {
            continue;
        };
        if tally.done.has(index) || given_up.has(index) {
            continue;
        }
        let more =
            last.get(&index).is_none_or(|held| make::failures(&held.pod).all() < make::failures(&member.pod).all());
        if more {
            last.insert(index, member);
        }
    }
    last
}

/// Brings the counts up to date, puts runs that ended on the lists, and lets go of pods that are on them.
pub(super) fn account(work: &mut Work<'_>, tally: &Tally, decided: Option<&JobCondition>) {
    let (known_well, known_badly) = uncounted(&work.status);
    let tracked: BTreeSet<&str> = tally.members.iter().filter(|member| member.tracked).map(Member::uid).collect();
    let settled = |known: &BTreeSet<String>| known.iter().filter(|uid| !tracked.contains(uid.as_str())).count();
    let (well, badly) = (settled(&known_well), settled(&known_badly));
    let kept = |known: &BTreeSet<String>| -> Vec<String> {
        known.iter().filter(|uid| tracked.contains(uid.as_str())).cloned().collect()
    };
    let (mut waiting_well, mut waiting_badly) = (kept(&known_well), kept(&known_badly));
    let counted =
        Indexes::below(work.status.completed_indexes.as_deref().unwrap_or(""), work.completions().unwrap_or(0));
    let waits = to_succeed(work, tally);
    let fails = decided.is_some_and(|decided| matches!(decided.type_.as_str(), "FailureTarget" | "Failed"));
    // What was decided must be on record before a pod that did not end by itself is let go for it.
    let on_record = super::conditions::target(work.job.status.as_ref().unwrap_or(&JobStatus::default())).is_some();
    let mut new_done = Vec::new();
    let mut gone = Vec::new();
    for member in tally.members.iter().filter(|member| member.tracked) {
        if waiting_well.len() + waiting_badly.len() + new_done.len() >= UNCOUNTED_MOST {
            break;
        }
        let (uid, deleting) = (member.uid(), work.object.meta.deleting);
        if known_well.contains(uid) || known_badly.contains(uid) {
            gone.push(member);
        } else if member.has_succeeded() {
            match member.index.filter(|_| member.is_valid(work)) {
                _ if !work.is_indexed() => waiting_well.push(uid.to_owned()),
                Some(index) if !counted.has(index) => new_done.push(index),
                _ => gone.push(member),
            }
        } else if member.has_failed(work) || fails {
            let held = member.index.and_then(|index| waits.get(&index)).is_some_and(|held| held.uid() == uid);
            if held && decided.is_none() && !deleting {
                continue;
            }
            let killed = decided.is_some() && !fails && !crate::pods::is_terminal(&member.pod);
            let counts = !killed && member.is_valid(work) && failure::counts(work.spec, &member.pod);
            if counts {
                waiting_badly.push(uid.to_owned());
            } else {
                gone.push(member);
            }
        } else if deleting || (decided.is_some() && on_record) {
            gone.push(member);
        }
    }
    gone.iter().for_each(|member| work.plan.push(member.untrack()));
    let status = &mut work.status;
    let add = |count: Option<i32>, more: usize| count.unwrap_or(0).saturating_add(number(more));
    if work.spec.completion_mode.as_deref() == Some("Indexed") {
        let all = counted.with(&Indexes::of(new_done));
        status.succeeded = nonzero(all.len());
        status.completed_indexes = (!all.is_empty()).then(|| all.to_string());
        status.failed_indexes = tally.given_up.as_ref().map(Indexes::to_string);
    } else {
        status.succeeded = Some(add(status.succeeded, well)).filter(|count| *count > 0);
    }
    status.failed = Some(add(status.failed, badly)).filter(|count| *count > 0);
    let list = |uids: Vec<String>| (!uids.is_empty()).then_some(uids);
    status.uncounted_terminated_pods =
        Some(UncountedTerminatedPods { succeeded: list(waiting_well), failed: list(waiting_badly) });
}
