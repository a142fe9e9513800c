//! `batch/v1 Job`: runs pods to their end and counts each run once.
//!
//! A pod carries a finalizer until its run is in the job's status. The order is always: the pod's uid goes into
//! `uncountedTerminatedPods` (or its index into `completedIndexes`), then its finalizer goes, then the uid becomes a number.
//! Each of these is a plan of its own on what the one before has left in the View, so a controller may stop anywhere.

mod backoff;
mod conditions;
mod count;
mod failure;
mod make;
mod manage;
mod members;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod policy_tests;
mod success;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use crate::objects::{self, JOBS, PODS};
use crate::selector::Selector;
use crate::{Action, Controller, Now, Plan, WorkKey, patch};
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use members::Member;
use raftsman_api::indexes::Indexes;
use raftsman_api::kind::Subresource;
use raftsman_state::{Change, Object, View};
use std::sync::Arc;
use std::time::Duration;

/// Finalizer of pods whose run is not yet in their job's status.
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// What `spec.managedBy` says of jobs that are this controller's.
const OURS: &str = "kubernetes.io/job-controller";

/// The controller of Jobs.
pub struct Jobs;

/// Everything one plan looks at and adds to.
struct Work<'a> {
    view: &'a View,
    now: &'a Now,
    object: Arc<Object>,
    job: Arc<Job>,
    spec: &'a JobSpec,
    /// The status as it is to become.
    status: JobStatus,
    plan: Plan,
}

impl Work<'_> {
    fn name(&self) -> &str {
        self.object.key.name()
    }

    fn namespace(&self) -> &str {
        self.object.key.namespace()
    }

    fn reference(&self) -> OwnerReference {
        objects::controlled_by("batch/v1", "Job", self.name(), &self.object.meta.uid)
    }

    fn is_indexed(&self) -> bool {
        self.spec.completion_mode.as_deref() == Some("Indexed")
    }

    fn completions(&self) -> Option<u32> {
        self.spec.completions.map(|count| u32::try_from(count).unwrap_or(0))
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    /// A pod is replaced when it has ended, not when its end has begun.
    fn replaces_only_failed(&self) -> bool {
        self.spec.pod_replacement_policy.as_deref() == Some("Failed") || self.spec.pod_failure_policy.is_some()
    }

    fn event(&self, good: bool, reason: &'static str, message: String) -> Action {
        objects::event(&self.object, ("batch/v1", "Job"), good, reason, message)
    }
}

/// What the pods of a job come to.
struct Tally {
    members: Vec<Member>,
    /// Runs that went well, counted or about to be.
    succeeded: usize,
    /// Runs that went wrong and count.
    failed: usize,
    /// Indexes that are done.
    done: Indexes,
    /// Indexes that are given up, where that is decided index by index.
    given_up: Option<Indexes>,
}

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let resource = &change.key().resource;
        if *resource == *JOBS {
            if !change.deleted {
                return vec![change.key().clone()];
            }
            // Nobody is left to count what its pods did: they are let go.
            let pods = view.by_owner(&change.object.meta.uid).filter(|object| object.key.resource == *PODS);
            return pods.map(|pod| pod.key.clone()).collect();
        }
        if *resource != *PODS {
            return Vec::new();
        }
        let mut keys: Vec<WorkKey> = Vec::new();
        for pod in change.previous.iter().chain([&change.object]) {
            match pod.meta.controller() {
                Some(owner) => match view.by_uid(&owner.uid) {
                    Some(owner) if owner.key.resource == *JOBS => keys.push(owner.key.clone()),
                    None if !change.deleted => keys.push(pod.key.clone()),
                    _ => {}
                },
                None if !change.deleted => {
                    keys.extend(selecting(view, pod));
                    keys.push(pod.key.clone());
                }
                None => {}
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let lost = |pod: &&Arc<Object>| pod.meta.controller().is_none_or(|owner| view.by_uid(&owner.uid).is_none());
        let orphans = view.list(&PODS, None).filter(lost).map(|pod| pod.key.clone());
        objects::keys(view, &JOBS).into_iter().chain(orphans).collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        if key.resource == *PODS {
            return members::let_go(view, key);
        }
        let Some((object, job)) = objects::get::<Job>(view, key) else {
            return Plan::none();
        };
        let held = job.clone();
        let Some(spec) = held.spec.as_ref().filter(|spec| spec.managed_by.as_deref().is_none_or(|by| by == OURS))
        else {
            return Plan::none();
        };
        let Some(selector) = spec.selector.as_ref().and_then(Selector::of).filter(|selector| !selector.is_empty())
        else {
            return Plan::none();
        };
        let status = job.status.clone().unwrap_or_default();
        let mut work = Work { view, now, object, job, spec, status, plan: Plan::none() };
        plan(&mut work, &selector);
        work.plan
    }
}

/// Jobs of the namespace whose selector fits.
fn selecting<'a>(view: &'a View, pod: &'a Object) -> impl Iterator<Item = WorkKey> + 'a {
    let jobs = view.list(&JOBS, Some(pod.key.namespace()));
    jobs.filter(|job| {
        let typed = objects::decode::<Job>(job);
        let selector = typed.and_then(|job| job.spec.as_ref()?.selector.as_ref().and_then(Selector::of));
        selector.is_some_and(|selector| !selector.is_empty() && selector.matches(&pod.meta))
    })
    .map(|job| job.key.clone())
}

fn plan(work: &mut Work<'_>, selector: &Selector) {
    if let Some(failure) = work.now.failure.as_ref().filter(|failure| matches!(failure.verb, "create" | "delete")) {
        let (reason, what) =
            if failure.verb == "create" { ("FailedCreate", "creating") } else { ("FailedDelete", "deleting") };
        let told = work.event(false, reason, format!("Error {what}: {}", failure.message));
        work.plan.push(told);
    }
    let (members, claims) = members::claim(work, selector);
    if !claims.is_empty() {
        // What these change is counted by the plan that follows them.
        return claims.into_iter().for_each(|claim| work.plan.push(claim));
    }
    if conditions::finished(&work.status) {
        return members.iter().filter(|member| member.tracked).for_each(|member| work.plan.push(member.untrack()));
    }
    let tally = count::tally(work, members);
    if work.status.start_time.is_none() && !work.is_suspended() {
        work.status.start_time = Some(Time(work.now.time));
    }
    let target = conditions::target(&work.status).cloned();
    let decided = target.clone().or_else(|| conditions::decide(work, &tally));
    let mut active = tally.members.iter().filter(|member| member.is_active()).count();
    if let Some(decided) = &decided {
        if target.is_some() {
            manage::end_all(work, &tally, decided);
        }
    } else if !work.object.meta.deleting {
        active = manage::manage(work, &tally, active);
        if conditions::is_complete(work, &tally, active) {
            let reached = conditions::completions_reached(work.now);
            conditions::add(&mut work.status, reached);
        } else {
            conditions::suspension(work);
        }
    }
    if let (Some(decided), None) = (&decided, &target) {
        conditions::add(&mut work.status, decided.clone());
    }
    count::account(work, &tally, decided.as_ref());
    work.status.active = nonzero(active);
    work.status.ready =
        Some(number(tally.members.iter().filter(|member| member.is_active() && member.is_ready()).count()));
    let terminating = tally.members.iter().filter(|member| member.is_terminating()).count();
    work.status.terminating = Some(number(terminating));
    // What was decided is written down first; only then do the last finalizers go and the job end.
    if let Some(target) = &target
        && active == 0
        && terminating == 0
        && tally.members.iter().all(|member| !member.tracked)
        && count::is_settled(&work.status)
    {
        finish(work, target);
    }
    write(work);
}

fn finish(work: &mut Work<'_>, target: &JobCondition) {
    let last = conditions::last(target, work.now);
    let told = if last.type_ == "Complete" {
        work.status.completion_time = Some(Time(work.now.time));
        work.event(true, "Completed", "Job completed".to_owned())
    } else {
        let reason = conditions::known_reason(last.reason.as_deref());
        work.event(false, reason, last.message.clone().unwrap_or_default())
    };
    work.plan.push(told);
    conditions::add(&mut work.status, last);
}

fn write(work: &mut Work<'_>) {
    if let Some(patch) = patch::status(&work.job.status, &work.status) {
        let (key, uid) = (work.object.key.clone(), work.object.meta.uid.clone());
        // It says what was counted: it must not be written over what another plan has counted since.
        let (revision, part) = (Some(work.object.revision), Some(Subresource::Status));
        work.plan.push(Action::Patch { key, uid, revision, patch, part });
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn nonzero(count: usize) -> Option<i32> {
    (count > 0).then(|| number(count))
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// The condition that says that a job is over.
pub(crate) fn finished_job(job: &Job) -> Option<&JobCondition> {
    conditions::over(job.status.as_ref()?)
}

/// When that was.
pub(crate) fn finished_at(condition: &JobCondition) -> Option<jiff::Timestamp> {
    condition.last_transition_time.as_ref().map(|time| time.0)
}
