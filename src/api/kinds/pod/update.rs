//! What may change in a pod that exists.

use crate::fencing::ANNOTATION;
use crate::kind::Subresource;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Toleration};

const MAY_CHANGE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub fn validate(new: &Pod, old: &Pod, part: Option<Subresource>) -> Vec<Cause> {
    let (Some(spec), Some(was)) = (&new.spec, &old.spec) else {
        return Vec::new();
    };
    match part {
        None => main(spec, was).into_iter().chain(fencing(new, old)).collect(),
        _ => Vec::new(),
    }
}

/// A node has acted on it already.
fn fencing(new: &Pod, old: &Pod) -> Option<Cause> {
    let chosen = |pod: &Pod| pod.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION)).cloned();
    let field = format!("metadata.annotations[{ANNOTATION}]");
    (chosen(new) != chosen(old)).then(|| Cause::forbidden(field, "it is chosen when the pod is created"))
}

fn main(spec: &PodSpec, was: &PodSpec) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (new, old, field) in [
        (Some(&spec.containers), Some(&was.containers), "containers"),
        (spec.init_containers.as_ref(), was.init_containers.as_ref(), "initContainers"),
    ] {
        if new.map_or(0, Vec::len) != old.map_or(0, Vec::len) {
            causes.push(Cause::forbidden(format!("spec.{field}"), "pod updates may not add or remove containers"));
        }
    }
    if !causes.is_empty() {
        return causes;
    }
    causes.extend(deadline(spec, was));
    causes.extend(tolerations(spec, was));
    causes.extend(gates(spec, was));
    let mut allowed = spec.clone();
    images(&mut allowed.containers, &was.containers);
    images(allowed.init_containers.as_deref_mut().unwrap_or_default(), was.init_containers.as_deref().unwrap_or(&[]));
    allowed.active_deadline_seconds = was.active_deadline_seconds;
    allowed.tolerations = was.tolerations.clone();
    if was.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0)
        && spec.termination_grace_period_seconds == Some(1)
    {
        allowed.termination_grace_period_seconds = was.termination_grace_period_seconds;
    }
    allowed.scheduling_gates = was.scheduling_gates.clone();
    if allowed != *was {
        causes.push(Cause::forbidden("spec", format!("{MAY_CHANGE}: {}", changed(&allowed, was))));
    }
    causes
}

/// The fields of the spec that differ, for people.
fn changed(new: &PodSpec, old: &PodSpec) -> String {
    let (new, old) = (serde_json::to_value(new).unwrap_or_default(), serde_json::to_value(old).unwrap_or_default());
    let mut fields: Vec<&String> =
        new.as_object().into_iter().chain(old.as_object()).flat_map(|map| map.keys()).collect();
    fields.sort_unstable();
    fields.dedup();
    let differing: Vec<String> = fields
        .into_iter()
        .filter(|field| new.get(*field) != old.get(*field))
        .map(|field| format!("spec.{field}"))
        .collect();
    format!("changed {}", differing.join(", "))
}

fn images(new: &mut [Container], old: &[Container]) {
    for (new, old) in new.iter_mut().zip(old) {
        new.image.clone_from(&old.image);
    }
}

fn deadline(spec: &PodSpec, was: &PodSpec) -> Vec<Cause> {
    let at = "spec.activeDeadlineSeconds";
    match (spec.active_deadline_seconds, was.active_deadline_seconds) {
        (None, Some(_)) => {
            vec![Cause::invalid(at, serde_json::Value::Null, "must not update from a positive integer to nil value")]
        }
        (Some(new), Some(old)) if new > old => {
            vec![Cause::invalid(at, new, format!("must be less than or equal to previous value {old}"))]
        }
        _ => Vec::new(),
    }
}

/// Only additions; the seconds of one that is there may change.
fn tolerations(spec: &PodSpec, was: &PodSpec) -> Vec<Cause> {
    let same = |a: &Toleration, b: &Toleration| {
        a.key == b.key && a.effect == b.effect && a.operator == b.operator && a.value == b.value
    };
    let kept = was.tolerations.iter().flatten().all(|old| spec.tolerations.iter().flatten().any(|new| same(new, old)));
    if kept {
        return Vec::new();
    }
    vec![Cause::forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]
}

/// Scheduling gates only go.
fn gates(spec: &PodSpec, was: &PodSpec) -> Vec<Cause> {
    let old: Vec<&str> = was.scheduling_gates.iter().flatten().map(|gate| gate.name.as_str()).collect();
    spec.scheduling_gates
        .iter()
        .flatten()
        .enumerate()
        .filter(|(_, gate)| !old.contains(&gate.name.as_str()))
        .map(|(index, gate)| {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
            Cause::forbidden(format!("spec.schedulingGates[{index}].name"), detail)
        })
        .collect()
}
