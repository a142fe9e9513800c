//! What to make and what to end next: in order, or all at once.

use super::members::Member;
use super::revisions::{self, Revisions};
use super::{Work, claims, identity};
use crate::{Action, Propagation, ownership, pods};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Pods made or ended by one plan at most.
const BURST: usize = 500;

/// Whether the plan may go on beyond this pod.
#[derive(PartialEq)]
enum Step {
    On,
    Wait,
}

/// Brings the pods nearer to what the set says. Scaling comes before updating.
pub(super) fn manage(work: &mut Work<'_>, revisions: &Revisions, replicas: &[Option<Member>], condemned: &[Member]) {
    let ordered = work.is_ordered();
    let before = work.plan.all_chains().count();
    for (index, member) in replicas.iter().enumerate() {
        let ordinal = work.start().saturating_add(i32::try_from(index).unwrap_or(i32::MAX));
        let step = match member {
            None => make(work, revisions, ordinal),
            Some(member) => keep(work, member),
        };
        if work.plan.all_chains().count() - before >= BURST || (ordered && step == Step::Wait) {
            return;
        }
    }
    for member in condemned {
        claims::own(work, member.ordinal, &member.object).into_iter().for_each(|change| work.plan.push(change));
    }
    let unhealthy = first_unhealthy(work, replicas, condemned);
    for member in condemned {
        let step = condemn(work, member, unhealthy);
        if work.plan.all_chains().count() - before >= BURST || (ordered && step == Step::Wait) {
            return;
        }
    }
    update(work, revisions, replicas);
}

/// The lowest ordinal that does not serve; it alone may be ended while it does not.
fn first_unhealthy(work: &Work<'_>, replicas: &[Option<Member>], condemned: &[Member]) -> Option<i32> {
    let ordinals = (work.start()..).zip(replicas);
    let unhealthy = ordinals.filter(|(_, member)| !member.as_ref().is_some_and(|member| member.is_healthy(work)));
    let first = unhealthy.map(|(ordinal, _)| ordinal).next();
    first.or_else(|| condemned.iter().rev().find(|member| !member.is_healthy(work)).map(|member| member.ordinal))
}

fn make(work: &mut Work<'_>, revisions: &Revisions, ordinal: i32) -> Step {
    let name = identity::pod_name(work, ordinal);
    let key = work.pod_key(&name);
    // A stranger has the name, or the claim of a former pod is still on its way out.
    if work.view.get(&key).is_some() || claims::are_stale(work, ordinal) {
        return Step::Wait;
    }
    if let Some(object) = revisions::new_pod(work, revisions, ordinal) {
        let mut chain = claims::missing(work, ordinal);
        chain.push(Action::Create { key, object });
        let told = format!("create Pod {name} in StatefulSet {} successful", work.name());
        chain.push(work.event(true, "SuccessfulCreate", told));
        work.plan.gradually(chain);
    }
    Step::Wait
}

fn keep(work: &mut Work<'_>, member: &Member) -> Step {
    if pods::is_terminal(&member.pod) {
        if !member.is_terminating() {
            end(work, member);
        }
        return Step::Wait;
    }
    if pods::phase(&member.pod) == "Pending" && !member.is_terminating() {
        let missing = claims::missing(work, member.ordinal);
        work.plan.chain(missing);
    }
    if member.is_terminating() {
        return Step::Wait;
    }
    if let Some(patch) = identity::missing_labels(work, &member.pod, member.ordinal) {
        work.plan.push(ownership::patch(&member.object, patch));
    }
    if !claims::mounted(work, &member.pod, member.ordinal) {
        let told = format!(
            "update Pod {} in StatefulSet {} failed error: it does not mount the set's claims; delete it to have it made anew",
            member.object.key.name(),
            work.name()
        );
        let told = work.event(false, "FailedUpdate", told);
        work.plan.push(told);
    }
    claims::own(work, member.ordinal, &member.object).into_iter().for_each(|change| work.plan.push(change));
    if member.is_available(work) { Step::On } else { Step::Wait }
}

fn condemn(work: &mut Work<'_>, member: &Member, first_unhealthy: Option<i32>) -> Step {
    let ordered = work.is_ordered();
    if member.is_terminating() {
        return Step::Wait;
    }
    if ordered && !member.is_available(work) && first_unhealthy != Some(member.ordinal) {
        return Step::Wait;
    }
    end(work, member);
    Step::Wait
}

fn end(work: &mut Work<'_>, member: &Member) {
    let name = member.object.key.name();
    let told = format!("delete Pod {name} in StatefulSet {} successful", work.name());
    let told = work.event(true, "SuccessfulDelete", told);
    work.plan.chain(vec![
        Action::Delete {
            key: member.object.key.clone(),
            uid: member.object.meta.uid.clone(),
            revision: None,
            grace: None,
            propagation: Some(Propagation::Background),
        },
        told,
    ]);
}

/// Ends pods of an older revision, highest ordinal first, no more at a time than may be away.
fn update(work: &mut Work<'_>, revisions: &Revisions, replicas: &[Option<Member>]) {
    let strategy = work.spec.update_strategy.as_ref();
    if strategy.is_some_and(|strategy| strategy.type_.as_deref() == Some("OnDelete")) {
        return;
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let most = may_be_away(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), replicas.len());
    let away = replicas.iter().filter(|member| !member.as_ref().is_some_and(|member| member.is_healthy(work))).count();
    let mut left = most.saturating_sub(away);
    let newest = revisions.update().name();
    let above = replicas.iter().skip(usize::try_from(partition).unwrap_or(0)).rev().flatten();
    for member in above.filter(|member| member.revision() != newest && !member.is_terminating()) {
        // One that does not serve is away already, and may be what a broken revision left behind. One that serves, though not
        // for long enough yet, is none of these.
        if !member.is_ready() {
            end(work, member);
        } else if left > 0 {
            left -= 1;
            end(work, member);
        }
    }
}

/// `maxUnavailable` as a number of pods, at least one.
fn may_be_away(most: Option<&IntOrString>, replicas: usize) -> usize {
    let most = match most {
        None => 1,
        Some(IntOrString::Int(number)) => usize::try_from(*number).unwrap_or(1),
        Some(IntOrString::String(text)) => {
            let percent = raftsman_api::format::percent(text).and_then(|percent| usize::try_from(percent).ok());
            percent.unwrap_or(0).saturating_mul(replicas) / 100
        }
    };
    most.max(1)
}
