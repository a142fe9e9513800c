//! The plan.

use super::container::{Containers, Kind};
use super::next::{Next, next};
use super::{
    ImageState, Input, Message, Plan, PodAction, PodEvent, Run, StopCause, VolumeState, pull_error_shown, runs,
};
use crate::time::{after, until};
use k8s_openapi::api::core::v1::Container;
use std::time::Duration;

const GRACE: i64 = 30;
/// A network that is not ready for so long is worth an Event.
const NETWORK_PATIENCE: Duration = Duration::from_secs(1);

/// What a removed run is remembered by: it is tried once.
pub const FORGOTTEN: &str = "Forgotten";

/// What to do now for this pod, and when to look again.
pub fn plan(input: &Input<'_>) -> Plan {
    let mut plan = Plan::default();
    if input.memory.gone {
        return plan;
    }
    if !input.observed.is_some_and(|pod| pod.released) {
        super::fence::seek(input, &mut plan);
    }
    if input.held() && frozen(input, &mut plan) {
        return plan;
    }
    if input.ending() {
        end(input, &mut plan);
    } else if input.memory.ended.is_some() || terminal(input) {
        if stop_all(input, &mut plan, "Stopping container") {
            release(input, &mut plan);
        }
    } else if let Some(message) = overdue(input, &mut plan) {
        announce(&mut plan, None, Message::deadline(), 0);
        plan.act(PodAction::End { reason: "DeadlineExceeded".to_owned(), message });
    } else {
        run(input, &mut plan);
    }
    plan
}

/// A fenced pod that may not run and has something that would: nothing is started, asked or stopped in it. Only one that is
/// no longer this node's goes, and does not run again before. True if that is all there is to do.
fn frozen(input: &Input<'_>, plan: &mut Plan) -> bool {
    let mut names = input.observed.iter().flat_map(|pod| &pod.containers).map(|container| &container.name);
    let runs = names.any(|name| runs(input.observed, input.memory, name).iter().any(Run::running));
    if !runs {
        return false;
    }
    if input.orphan {
        match &input.memory.removal {
            Some(retry) if retry.at > input.now => plan.wake(retry.at),
            _ => plan.act(PodAction::RemoveRoot),
        }
    }
    true
}

/// Nothing of it runs, and the masters know that nothing ever will: what it has is others' now.
fn release(input: &Input<'_>, plan: &mut Plan) {
    let kept = input.observed.is_some_and(|pod| !pod.released);
    if kept && terminal(input) && due(input.memory.release.as_ref(), input, plan) {
        plan.act(PodAction::Release);
    }
}

/// The masters hold a final phase of it.
pub(super) fn terminal(input: &Input<'_>) -> bool {
    let phase = input.pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn overdue(input: &Input<'_>, plan: &mut Plan) -> Option<String> {
    let limit = input.pod.spec.as_ref().and_then(|spec| spec.active_deadline_seconds)?;
    let known = input.pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0);
    let start = known.unwrap_or(input.memory.first_seen);
    let at = after(start, Duration::from_secs(u64::try_from(limit).unwrap_or(0)));
    if at > input.now {
        plan.wake(at);
        return None;
    }
    Some("Pod was active on the node longer than the specified deadline".to_owned())
}

/// Its deletion was asked for.
fn end(input: &Input<'_>, plan: &mut Plan) {
    if input.observed.is_none() && input.memory.removal.is_none() && input.memory.announced.contains(&removed()) {
        plan.act(PodAction::Gone);
        return;
    }
    if !stop_all(input, plan, "Stopping container") {
        return;
    }
    match &input.memory.removal {
        Some(retry) if retry.at > input.now => plan.wake(retry.at),
        _ => plan.act(PodAction::RemoveRoot),
    }
}

/// The mark that a pod's root was removed in this life of the agent.
pub(crate) fn removed() -> (String, String, u32) {
    (String::new(), "Removed".to_owned(), 0)
}

/// `status.reason` of a pod that the node had to end.
pub const EVICTED: &str = "Evicted";
/// As the kubelet ends those at once.
const EVICTION_GRACE: Duration = Duration::from_secs(1);
/// A sidecar has this however long the others took, if its pod has any grace at all.
const LEAST_GRACE: Duration = Duration::from_secs(2);
/// A stop begins a moment after it was planned: so much less of grace is no news.
const SLACK: Duration = Duration::from_secs(1);

fn grace(input: &Input<'_>) -> Duration {
    let evicted = input.memory.ended.as_ref().is_some_and(|(reason, _)| reason == EVICTED);
    let grace = asked_grace(input);
    if evicted { grace.min(EVICTION_GRACE) } else { grace }
}

fn asked_grace(input: &Input<'_>) -> Duration {
    let metadata = &input.pod.metadata;
    let asked = metadata.deletion_timestamp.as_ref().and(metadata.deletion_grace_period_seconds);
    let own = input.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    Duration::from_secs(u64::try_from(asked.or(own).unwrap_or(GRACE)).unwrap_or(0))
}

/// Stops what runs, sidecars after the others and in reverse order. True when nothing runs.
fn stop_all(input: &Input<'_>, plan: &mut Plan, why: &str) -> bool {
    let mut rows: Vec<(Kind, String, Run)> = Vec::new();
    for (kind, container) in Containers::of(input.pod) {
        if let Some(run) = runs(input.observed, input.memory, &container.name).into_iter().find(Run::running) {
            rows.push((kind, container.name.clone(), run));
        }
    }
    for status in input.observed.iter().flat_map(|pod| &pod.containers) {
        if Containers::find(input.pod, &status.name).is_none() {
            let run = runs(input.observed, input.memory, &status.name).into_iter().find(Run::running);
            rows.extend(run.map(|run| (Kind::Main, status.name.clone(), run)));
        }
    }
    if rows.is_empty() {
        return true;
    }
    let only_sidecars = rows.iter().all(|(kind, ..)| *kind == Kind::Sidecar);
    let last = rows.len() - 1;
    for (at, (kind, name, run)) in rows.iter().enumerate() {
        let grace = match kind {
            Kind::Sidecar if only_sidecars && at == last => what_is_left(input),
            Kind::Sidecar => continue,
            _ => grace(input),
        };
        stop(input, plan, name, run, grace, format!("{why} {name}"), StopCause::PodEnds);
    }
    false
}

/// All share one grace; who comes last has a little of it still.
fn what_is_left(input: &Input<'_>) -> Duration {
    let grace = grace(input);
    let spent = input.memory.ending_since.map_or(Duration::ZERO, |since| until(input.now, since));
    grace.saturating_sub(spent).max(LEAST_GRACE.min(grace))
}

/// Stops a run, unless that is under way with no longer a grace.
fn stop(input: &Input<'_>, plan: &mut Plan, name: &str, run: &Run, grace: Duration, why: String, cause: StopCause) {
    let kill_at = after(input.now, grace);
    let under_way = input.memory.container(name).and_then(|container| container.stop.as_ref());
    let under_way = under_way.is_some_and(|stop| stop.attempt == run.attempt && stop.kill_at <= after(kill_at, SLACK));
    if !under_way {
        plan.act(PodAction::Stop { container: name.to_owned(), attempt: run.attempt, grace, why, cause });
    }
}

fn due(retry: Option<&super::Retry>, input: &Input<'_>, plan: &mut Plan) -> bool {
    match retry {
        Some(retry) if retry.at > input.now => {
            plan.wake(retry.at);
            false
        }
        _ => true,
    }
}

/// Everything that a pod which should run needs.
fn run(input: &Input<'_>, plan: &mut Plan) {
    let memory = input.memory;
    let retry = match &memory.volumes {
        VolumeState::Failed(retry) => Some(retry),
        _ => None,
    };
    if memory.volumes != VolumeState::Ready {
        if due(retry, input, plan) {
            plan.act(PodAction::SetUpVolumes);
        }
        // What runs goes on: an adopted pod's volumes are there.
        if input.observed.is_none() {
            return;
        }
    }
    if input.observed.is_none_or(|pod| !pod.ready) {
        if !input.host_network() && !input.network_ready {
            // The first moments of an agent are no news.
            let told_at = after(memory.first_seen, NETWORK_PATIENCE);
            if told_at > input.now {
                plan.wake(told_at);
            } else if !memory.was_announced("", "NetworkNotReady", 0) {
                announce(plan, None, Message::no_network(), 0);
            }
        } else if due(memory.root.as_ref(), input, plan) {
            plan.act(PodAction::CreateRoot);
        }
        return;
    }
    let unattached = !memory.attached && !input.host_network() && input.network_ready;
    if unattached && due(memory.network.as_ref(), input, plan) {
        plan.act(PodAction::AttachNetwork);
    }
    let addressed =
        input.host_network() || (memory.attached && input.observed.is_some_and(|pod| pod.address.is_some()));
    containers(input, plan, addressed);
}

fn containers(input: &Input<'_>, plan: &mut Plan, addressed: bool) {
    let mut initialized = true;
    let (mut mains, mut over, mut broken) = (0, 0, false);
    let later_ran = |name: &str| {
        let mut after = Containers::of(input.pod).skip_while(|(_, other)| other.name != name).skip(1);
        after
            .any(|(_, other)| runs(input.observed, input.memory, &other.name).iter().any(|run| input.of_this_root(run)))
    };
    for (kind, container) in Containers::of(input.pod) {
        let name = &container.name;
        let all = runs(input.observed, input.memory, name);
        for old in all.iter().skip(2).filter(|run| run.id.is_some()) {
            if input.memory.was_announced(name, FORGOTTEN, old.attempt) {
                continue;
            }
            plan.act(PodAction::Forget { container: name.clone(), attempt: old.attempt });
        }
        let next = next(input, kind, container, all.first());
        if kind == Kind::Main {
            mains += 1;
            over += usize::from(matches!(next, Next::Done | Next::Failed));
        }
        broken |= kind == Kind::Init && next == Next::Failed;
        if !initialized {
            continue;
        }
        // An init container whose record was lost, though later ones ran, is not run again.
        let lost = kind == Kind::Init && all.is_empty() && later_ran(name);
        if !lost {
            step(input, plan, (kind, container), all.first(), &next, addressed);
        }
        initialized = match (kind, &next) {
            _ if lost => true,
            (Kind::Main, _) | (Kind::Init, Next::Done) => true,
            (Kind::Init, _) => false,
            (Kind::Sidecar, Next::Running) => started(input, container, all.first()) || later_ran(name),
            (Kind::Sidecar, _) => later_ran(name),
        };
    }
    if broken || (mains > 0 && mains == over) {
        // All work is done: sidecars have nothing left to serve.
        plan.actions.retain(|action| !matches!(action, PodAction::Start { .. } | PodAction::EnsureImage { .. }));
        stop_all(input, plan, "Stopping container");
    }
}

/// Whether the startup probe lets the container count as started.
pub(super) fn started(input: &Input<'_>, container: &Container, run: Option<&Run>) -> bool {
    let Some(run) = run.filter(|run| run.running()) else {
        return false;
    };
    container.startup_probe.is_none()
        || input.memory.container(&container.name).is_some_and(|memory| memory.started == Some(run.attempt))
}

/// The run is of another image than the one that is asked for now.
fn outdated(kind: Kind, container: &Container, run: &Run) -> bool {
    let asked = container.image.as_deref().unwrap_or_default();
    kind != Kind::Init && !run.image.is_empty() && run.image != asked
}

fn step(
    input: &Input<'_>,
    plan: &mut Plan,
    (kind, container): (Kind, &Container),
    run: Option<&Run>,
    next: &Next,
    addressed: bool,
) {
    let name = &container.name;
    let memory = input.memory.container(name);
    match next {
        Next::Done | Next::Failed => {}
        Next::Running => {
            let condemned = memory.and_then(|memory| memory.condemned.as_ref());
            if let Some(run) = run.filter(|run| outdated(kind, container, run)) {
                let why = format!("Container {name} definition changed, will be restarted");
                stop(input, plan, name, run, grace(input), why, StopCause::Replaced);
            } else if let (Some(run), Some((attempt, why, own))) = (run, condemned)
                && *attempt == run.attempt
            {
                let grace = own.unwrap_or_else(|| grace(input));
                stop(input, plan, name, run, grace, why.clone(), StopCause::Condemned);
            }
        }
        Next::BackOff { at, .. } => {
            plan.wake(*at);
            let attempt = run.map_or(0, |run| run.attempt);
            if !input.memory.was_announced(name, "BackOff", attempt) {
                let message = Message::back_off(name, &full_name(input.pod));
                announce(plan, Some(name), message, attempt);
            }
        }
        Next::Start(attempt) => start(input, plan, container, *attempt, addressed),
    }
}

fn start(input: &Input<'_>, plan: &mut Plan, container: &Container, attempt: u32, addressed: bool) {
    let name = &container.name;
    match input.memory.images.get(name) {
        Some(ImageState::Working) => {}
        Some(ImageState::Failed(retry)) if retry.at > input.now => {
            plan.wake(retry.at);
            let shown = after(retry.failed_at, pull_error_shown(retry.failures));
            if shown > input.now {
                plan.wake(shown);
            } else if retry.reason == "ErrImagePull" && !input.memory.was_announced(name, "PullBackOff", retry.failures)
            {
                let message = Message::pull_back_off(container.image.as_deref().unwrap_or_default());
                let event = PodEvent { container: Some(name.clone()), message };
                let once = (name.clone(), "PullBackOff".to_owned(), retry.failures);
                plan.act(PodAction::Announce { event, once });
            }
        }
        Some(ImageState::Present(_)) if input.held() => {}
        Some(ImageState::Present(_)) => {
            let unmade = input.memory.container(name).and_then(|memory| memory.unmade.as_ref());
            if addressed && input.memory.volumes == VolumeState::Ready && due(unmade, input, plan) {
                plan.act(PodAction::Start { container: name.clone(), attempt });
            }
        }
        None | Some(ImageState::Failed(_)) => plan.act(PodAction::EnsureImage { container: name.clone() }),
    }
}

fn announce(plan: &mut Plan, container: Option<&str>, message: Message, number: u32) {
    let once = (container.unwrap_or_default().to_owned(), message.reason.to_owned(), number);
    let event = PodEvent { container: container.map(str::to_owned), message };
    plan.act(PodAction::Announce { event, once });
}

/// `name_namespace(uid)`, as messages name pods.
pub(super) fn full_name(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    let metadata = &pod.metadata;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}_{}({})", part(&metadata.name), part(&metadata.namespace), part(&metadata.uid))
}
