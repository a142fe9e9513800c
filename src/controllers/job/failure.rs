//! What a failed pod means: `podFailurePolicy` (KEP-3329) and `backoffLimitPerIndex` (KEP-3850).

use super::{Work, make, members::Member};
use k8s_openapi::api::batch::v1::{JobSpec, PodFailurePolicyOnExitCodesRequirement as ExitCodes};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

/// The verdict of the first rule that fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As if there were no policy; also what `Count` says.
    Count,
    /// It is not counted.
    Ignore,
    /// Its index is given up.
    FailIndex,
    /// The whole job has failed, because of this.
    FailJob(String),
}

/// Judges a failed pod.
pub(super) fn judge(spec: &JobSpec, pod: &Pod) -> Verdict {
    let rules = spec.pod_failure_policy.as_ref().map(|policy| policy.rules.as_slice()).unwrap_or_default();
    let Some(status) = &pod.status else {
        return Verdict::Count;
    };
    let name = || {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", text(&pod.metadata.namespace), text(&pod.metadata.name))
    };
    for (index, rule) in rules.iter().enumerate() {
        let why = if let Some(codes) = &rule.on_exit_codes {
            exit_code(status, codes).map(|(container, code)| {
                format!("Container {container} for pod {} failed with exit code {code}", name())
            })
        } else {
            let conditions = status.conditions.as_deref().unwrap_or_default();
            let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
            let matching = patterns.iter().find(|pattern| {
                let status = pattern.status.as_deref().unwrap_or("True");
                conditions.iter().any(|condition| condition.type_ == pattern.type_ && condition.status == status)
            });
            matching.map(|pattern| format!("Pod {} has condition {}", name(), pattern.type_))
        };
        if let Some(why) = why {
            return match rule.action.as_str() {
                "Ignore" => Verdict::Ignore,
                "FailIndex" => Verdict::FailIndex,
                "FailJob" => Verdict::FailJob(format!("{why} matching FailJob rule at index {index}")),
                _ => Verdict::Count,
            };
        }
    }
    Verdict::Count
}

/// The first container whose exit code fits, containers before init containers.
fn exit_code<'a>(status: &'a PodStatus, codes: &ExitCodes) -> Option<(&'a str, i32)> {
    let lists = [&status.container_statuses, &status.init_container_statuses];
    let all = lists.into_iter().flat_map(|list| list.as_deref().unwrap_or_default());
    let ended = all.filter_map(|container: &ContainerStatus| {
        let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
        Some((container.name.as_str(), code))
    });
    ended.filter(|(name, _)| codes.container_name.as_ref().is_none_or(|only| only == name)).find(|(_, code)| {
        let listed = codes.values.contains(code);
        *code != 0 && if codes.operator == "NotIn" { !listed } else { listed }
    })
}

/// Whether a failed pod counts against the job's limits.
pub(super) fn counts(spec: &JobSpec, pod: &Pod) -> bool {
    judge(spec, pod) != Verdict::Ignore
}

/// Whether a pod's failure is its index's last.
pub(super) fn ends_index(work: &Work<'_>, member: &Member, limit: i32) -> bool {
    if !member.has_failed(work) {
        return false;
    }
    match judge(work.spec, &member.pod) {
        Verdict::FailIndex => true,
        Verdict::Ignore => false,
        Verdict::Count | Verdict::FailJob(_) => make::failures(&member.pod).counted >= limit,
    }
}
