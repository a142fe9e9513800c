//! `status.conditions` of a pod.

use super::Input;
use super::container::Kind;
use super::container_status::Seen;
use crate::time::seconds;
use k8s_openapi::api::core::v1::{PodCondition, PodStatus};

struct Verdict {
    kind: &'static str,
    holds: bool,
    why: Option<(&'static str, String)>,
}

/// `containers with unready status: [a b]`.
fn named(what: &str, names: &[&str]) -> String {
    format!("containers with {what} status: [{}]", names.join(" "))
}

fn containers_ready(seen: &[Seen], phase: &str) -> Verdict {
    let kind = "ContainersReady";
    if phase == "Succeeded" {
        return Verdict { kind, holds: false, why: Some(("PodCompleted", String::new())) };
    }
    if phase == "Failed" {
        return Verdict { kind, holds: false, why: Some(("PodFailed", String::new())) };
    }
    let counted = seen.iter().filter(|seen| seen.kind != Kind::Init);
    let unready: Vec<&str> = counted.filter(|seen| !seen.status.ready).map(|seen| seen.status.name.as_str()).collect();
    let why = (!unready.is_empty()).then(|| ("ContainersNotReady", named("unready", &unready)));
    Verdict { kind, holds: unready.is_empty(), why }
}

fn initialized(seen: &[Seen], phase: &str) -> Verdict {
    let kind = "Initialized";
    if phase == "Succeeded" {
        return Verdict { kind, holds: true, why: Some(("PodCompleted", String::new())) };
    }
    let main_ran = seen.iter().any(|seen| seen.kind == Kind::Main && seen.status.container_id.is_some());
    let open = seen.iter().filter(|seen| !seen.initialized());
    let open: Vec<&str> = open.map(|seen| seen.status.name.as_str()).collect();
    let holds = open.is_empty() || main_ran;
    let why = (!holds).then(|| ("ContainersNotInitialized", named("incomplete", &open)));
    Verdict { kind, holds, why }
}

fn ready(input: &Input<'_>, containers: &Verdict) -> Verdict {
    let kind = "Ready";
    if containers.holds && input.held() {
        let why = "frozen: the node's promise has ended, and no leader has said since that the pod may run".to_owned();
        return Verdict { kind, holds: false, why: Some(("Frozen", why)) };
    }
    if !containers.holds {
        return Verdict { kind, holds: false, why: containers.why.clone() };
    }
    let gates = input.pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_deref()).unwrap_or_default();
    let given = input.pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    for gate in gates {
        let gate = &gate.condition_type;
        let problem = match given.iter().find(|condition| condition.type_ == *gate) {
            None => {
                format!("corresponding condition of pod readiness gate \"{gate}\" does not exist.")
            }
            Some(condition) if condition.status != "True" => {
                format!("the status of pod readiness gate \"{gate}\" is not \"True\", but {}", condition.status)
            }
            Some(_) => continue,
        };
        return Verdict { kind, holds: false, why: Some(("ReadinessGatesNotReady", problem)) };
    }
    Verdict { kind, holds: true, why: None }
}

/// All conditions that the agent owns; transition times are kept from `before` where nothing changed.
pub(super) fn conditions(
    input: &Input<'_>,
    seen: &[Seen],
    phase: &str,
    before: Option<&PodStatus>,
) -> Vec<PodCondition> {
    let rooted = input.observed.is_some_and(|pod| pod.ready && (input.host_network() || pod.address.is_some()));
    let containers = containers_ready(seen, phase);
    let verdicts = [
        Verdict { kind: "PodReadyToStartContainers", holds: rooted, why: None },
        initialized(seen, phase),
        ready(input, &containers),
        containers,
        Verdict { kind: "PodScheduled", holds: true, why: None },
    ];
    let before = before.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    verdicts.into_iter().map(|verdict| condition(verdict, before, input)).collect()
}

fn condition(verdict: Verdict, before: &[PodCondition], input: &Input<'_>) -> PodCondition {
    let status = if verdict.holds { "True" } else { "False" };
    let old = before.iter().find(|old| old.type_ == verdict.kind && old.status == status);
    let since = old.and_then(|old| old.last_transition_time.clone()).unwrap_or_else(|| seconds(input.now));
    let (reason, message) = match verdict.why {
        Some((reason, message)) => (Some(reason.to_owned()), (!message.is_empty()).then_some(message)),
        None => (None, None),
    };
    PodCondition {
        last_transition_time: Some(since),
        message,
        observed_generation: input.pod.metadata.generation,
        reason,
        status: status.to_owned(),
        type_: verdict.kind.to_owned(),
        ..PodCondition::default()
    }
}
