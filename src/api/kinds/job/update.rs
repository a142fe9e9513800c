//! What may change in a Job that exists.

use super::validate::is_indexed;
use crate::cause::immutable;
use crate::kind::Subresource;
use crate::status::Cause;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};

pub(super) fn validate(new: &Job, old: &Job, part: Option<Subresource>) -> Vec<Cause> {
    let (Some(spec), Some(was), None) = (&new.spec, &old.spec, part) else {
        return Vec::new();
    };
    let mut causes = Vec::new();
    // An indexed job may grow and shrink when parallelism goes with completions (KEP-3715).
    let elastic = is_indexed(spec) && spec.completions.is_some() && spec.completions == spec.parallelism;
    if !elastic {
        causes.extend(immutable("spec.completions", &spec.completions, &was.completions));
    }
    causes.extend(immutable("spec.selector", &spec.selector, &was.selector));
    causes.extend(immutable("spec.completionMode", &spec.completion_mode, &was.completion_mode));
    causes.extend(immutable("spec.podFailurePolicy", &spec.pod_failure_policy, &was.pod_failure_policy));
    causes.extend(immutable("spec.backoffLimitPerIndex", &spec.backoff_limit_per_index, &was.backoff_limit_per_index));
    causes.extend(immutable("spec.managedBy", &spec.managed_by, &was.managed_by));
    causes.extend(immutable("spec.successPolicy", &spec.success_policy, &was.success_policy));
    causes.extend(immutable("spec.template", &comparable(&spec.template, &was.template, old), &was.template));
    if spec.manual_selector.unwrap_or(false) != was.manual_selector.unwrap_or(false) {
        causes.extend(immutable("spec.manualSelector", &spec.manual_selector, &was.manual_selector));
    }
    causes
}

/// The template with what may change put back: a job that is suspended and has nothing running may still be told where
/// to run, and on what (KEP-2926, KEP-5440).
fn comparable(new: &PodTemplateSpec, was: &PodTemplateSpec, old: &Job) -> PodTemplateSpec {
    let mut same = new.clone();
    let suspended = old.spec.as_ref().is_some_and(|spec: &JobSpec| spec.suspend == Some(true));
    let idle = old.status.as_ref().is_none_or(|status| status.start_time.is_none() || status.active.unwrap_or(0) == 0);
    if !suspended || !idle {
        return same;
    }
    if let (Some(spec), Some(was)) = (&mut same.spec, &was.spec) {
        spec.affinity.clone_from(&was.affinity);
        spec.node_selector.clone_from(&was.node_selector);
        spec.tolerations.clone_from(&was.tolerations);
        spec.scheduling_gates.clone_from(&was.scheduling_gates);
        let none: &[Container] = &[];
        let inits =
            (spec.init_containers.as_deref_mut().unwrap_or_default(), was.init_containers.as_deref().unwrap_or(none));
        for (containers, was) in [inits, (&mut spec.containers, &was.containers)] {
            for (container, was) in containers.iter_mut().zip(was).filter(|(new, was)| new.name == was.name) {
                container.resources.clone_from(&was.resources);
            }
        }
    }
    if let (Some(metadata), Some(was)) = (&mut same.metadata, &was.metadata) {
        metadata.annotations.clone_from(&was.annotations);
        metadata.labels.clone_from(&was.labels);
    }
    same
}
