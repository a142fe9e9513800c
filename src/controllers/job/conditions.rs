//! How a job ends. First what it comes to is decided and written down (`SuccessCriteriaMet`, `FailureTarget`); when its
//! last pod is gone it is `Complete` or `Failed` (KEP-4368).

use super::{Tally, Work, failure, seconds, success};
use crate::Now;
use k8s_openapi::api::batch::v1::{JobCondition, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn make(kind: &str, value: &str, reason: &str, message: &str, now: &Now) -> JobCondition {
    JobCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now.time)),
        last_transition_time: Some(Time(now.time)),
    }
}

fn held<'a>(status: &'a JobStatus, kind: &str) -> Option<&'a JobCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn is_true<'a>(status: &'a JobStatus, kind: &str) -> Option<&'a JobCondition> {
    held(status, kind).filter(|condition| condition.status == "True")
}

/// It is over.
pub(crate) fn finished(status: &JobStatus) -> bool {
    over(status).is_some()
}

/// The condition that says that it is over.
pub(crate) fn over(status: &JobStatus) -> Option<&JobCondition> {
    is_true(status, "Complete").or_else(|| is_true(status, "Failed"))
}

/// What was decided.
pub(super) fn target(status: &JobStatus) -> Option<&JobCondition> {
    is_true(status, "SuccessCriteriaMet").or_else(|| is_true(status, "FailureTarget"))
}

/// Adds a condition or puts it in the place of the one of its type.
pub(super) fn add(status: &mut JobStatus, condition: JobCondition) {
    let all = status.conditions.get_or_insert_default();
    match all.iter_mut().find(|held| held.type_ == condition.type_) {
        Some(held) => *held = condition,
        None => all.push(condition),
    }
}

/// The last condition, for what was decided.
pub(super) fn last(target: &JobCondition, now: &Now) -> JobCondition {
    let kind = if target.type_ == "SuccessCriteriaMet" { "Complete" } else { "Failed" };
    JobCondition {
        type_: kind.to_owned(),
        last_probe_time: Some(Time(now.time)),
        last_transition_time: Some(Time(now.time)),
        ..target.clone()
    }
}

const REASONS: &[&str] =
    &["PodFailurePolicy", "BackoffLimitExceeded", "DeadlineExceeded", "MaxFailedIndexesExceeded", "FailedIndexes"];

/// The reason as an Event carries it.
pub(super) fn known_reason(reason: Option<&str>) -> &'static str {
    REASONS.iter().copied().find(|known| Some(*known) == reason).unwrap_or("Failed")
}

pub(super) fn completions_reached(now: &Now) -> JobCondition {
    make("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods", now)
}

/// As many runs went well as were asked for, and none is under way.
pub(super) fn is_complete(work: &Work<'_>, tally: &Tally, active: usize) -> bool {
    let enough = match work.completions() {
        Some(wanted) => tally.succeeded >= wanted as usize,
        // Any success is enough; those that run are waited for.
        None => tally.succeeded > 0,
    };
    enough && active == 0
}

/// Whether the job has come to its end by what its pods did, by its limits or by its deadline. Asks for another look when
/// the deadline comes.
pub(super) fn decide(work: &mut Work<'_>, tally: &Tally) -> Option<JobCondition> {
    let now = work.now;
    let failed = |reason: &str, message: &str| Some(make("FailureTarget", "True", reason, message, now));
    let judged = tally.members.iter().filter(|member| member.has_failed(work));
    for member in judged {
        if let failure::Verdict::FailJob(why) = failure::judge(work.spec, &member.pod) {
            return failed(REASONS[0], &why);
        }
    }
    let limit = usize::try_from(work.spec.backoff_limit.unwrap_or(6)).unwrap_or(0);
    if tally.failed > limit || too_many_restarts(work, tally, limit) {
        return failed(REASONS[1], "Job has reached the specified backoff limit");
    }
    if let (Some(deadline), Some(start), false) =
        (work.spec.active_deadline_seconds, &work.status.start_time, work.is_suspended())
    {
        let left = seconds(deadline).saturating_sub(now.since(start.0));
        if left.is_zero() {
            return failed(REASONS[2], "Job was active longer than specified deadline");
        }
        work.plan.requeue(left);
    }
    if let Some(given_up) = &tally.given_up {
        let most = work.spec.max_failed_indexes.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| given_up.len() > most) {
            return failed(REASONS[3], "Job has exceeded the specified maximal number of failed indexes");
        }
        let all = given_up.len() + tally.done.len();
        if !given_up.is_empty() && all >= work.completions().unwrap_or(0) as usize {
            return failed(REASONS[4], "Job has failed indexes");
        }
    }
    let met = success::met(work.spec, &tally.done).filter(|_| work.is_indexed())?;
    Some(make("SuccessCriteriaMet", "True", "SuccessPolicy", &met, now))
}

/// With `restartPolicy: OnFailure` restarts of containers count as failures.
fn too_many_restarts(work: &Work<'_>, tally: &Tally, limit: usize) -> bool {
    let policy = work.spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let running = tally.members.iter().filter(|member| !crate::pods::is_terminal(&member.pod));
    let restarts: usize = running
        .filter_map(|member| member.pod.status.as_ref())
        .flat_map(|status| [&status.init_container_statuses, &status.container_statuses])
        .flat_map(|list| list.iter().flatten())
        .map(|container| usize::try_from(container.restart_count).unwrap_or(0))
        .sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// Says that the job is suspended or goes on; the deadline counts from when it went on.
pub(super) fn suspension(work: &mut Work<'_>) {
    let suspended = work.is_suspended();
    let before = held(&work.status, "Suspended").map(|condition| condition.status == "True");
    if before.unwrap_or(false) == suspended {
        return;
    }
    let (value, reason, message) =
        if suspended { ("True", "JobSuspended", "Job suspended") } else { ("False", "JobResumed", "Job resumed") };
    let condition = make("Suspended", value, reason, message, work.now);
    add(&mut work.status, condition);
    let told = work.event(true, if suspended { "Suspended" } else { "Resumed" }, message.to_owned());
    work.plan.push(told);
    if !suspended {
        work.status.start_time = Some(Time(work.now.time));
    }
}
