//! A job's pods.

use super::members::{INDEX, Member};
use super::{TRACKING, Work, failure};
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use raftsman_api::names;
use serde_json::Value;

const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// How often an index had failed when a pod of it was made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    /// Against its limit.
    pub counted: i32,
    ignored: i32,
}

impl Failures {
    /// With those that do not count.
    pub fn all(self) -> i32 {
        self.counted.saturating_add(self.ignored)
    }
}

pub(super) fn failures(pod: &Pod) -> Failures {
    let number = |key: &str| {
        let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get(key)?.parse().ok());
        annotation.unwrap_or(0)
    };
    Failures { counted: number(FAILURES), ignored: number(IGNORED) }
}

/// What a generated name begins with.
pub(super) fn prefix(work: &Work<'_>, index: Option<u32>) -> String {
    let end = index.map_or_else(|| "-".to_owned(), |index| format!("-{index}-"));
    let mut most = work.name().len().min(names::PREFIX_MOST.saturating_sub(end.len()));
    while !work.name().is_char_boundary(most) {
        most -= 1;
    }
    format!("{}{end}", &work.name()[..most])
}

/// The pod of this name: of an index or of none; `former` is the pod of this index that failed before.
pub(super) fn pod(work: &Work<'_>, name: &str, index: Option<u32>, former: Option<&Member>) -> Option<Value> {
    let template = &work.spec.template;
    let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
    if let Some(metadata) = &template.metadata {
        pod.metadata.labels = metadata.labels.clone();
        pod.metadata.annotations = metadata.annotations.clone();
        pod.metadata.finalizers = metadata.finalizers.clone();
    }
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == TRACKING) {
        finalizers.push(TRACKING.to_owned());
    }
    pod.metadata.name = Some(name.to_owned());
    pod.metadata.generate_name = Some(prefix(work, index));
    pod.metadata.namespace = Some(work.namespace().to_owned());
    pod.metadata.owner_references = Some(vec![work.reference()]);
    if let Some(index) = index {
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(INDEX.to_owned(), index.to_string());
        if work.spec.backoff_limit_per_index.is_some() {
            let mut count = former.map(|former| failures(&former.pod)).unwrap_or_default();
            if let Some(former) = former {
                let counts = failure::counts(work.spec, &former.pod);
                let which = if counts { &mut count.counted } else { &mut count.ignored };
                *which = which.saturating_add(1);
            }
            annotations.insert(FAILURES.to_owned(), count.counted.to_string());
            if count.ignored > 0 {
                annotations.insert(IGNORED.to_owned(), count.ignored.to_string());
            }
        }
        pod.metadata.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
        let spec = pod.spec.get_or_insert_default();
        spec.hostname = Some(format!("{}-{index}", work.name()));
        let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
        containers.for_each(tell_index);
    }
    serde_json::to_value(&pod).ok()
}

/// The container's environment says its index, unless it has its own word for it.
fn tell_index(container: &mut Container) {
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == VARIABLE) {
        return;
    }
    let field = ObjectFieldSelector { api_version: None, field_path: format!("metadata.labels['{INDEX}']") };
    env.push(EnvVar {
        name: VARIABLE.to_owned(),
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
        ..EnvVar::default()
    });
}
