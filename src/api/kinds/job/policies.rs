//! What is wrong with a Job's policies.

use super::validate::is_indexed;
use crate::cause::invalid_each;
use crate::format;
use crate::indexes::Indexes;
use crate::status::Cause;
use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicyOnExitCodesRequirement as ExitCodes, PodFailurePolicyRule as Rule,
};
use serde_json::json;

const RULES_MOST: usize = 20;
const VALUES_MOST: usize = 255;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];

/// `podFailurePolicy`.
pub(super) fn failure(spec: &JobSpec) -> Vec<Cause> {
    let Some(policy) = &spec.pod_failure_policy else {
        return Vec::new();
    };
    let mut causes = Vec::new();
    let restart = spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("");
    if restart != "Never" {
        let detail = "only \"Never\" is supported when podFailurePolicy is specified";
        causes.push(Cause::invalid("spec.template.spec.restartPolicy", restart, detail));
    }
    let at = "spec.podFailurePolicy.rules";
    if policy.rules.len() > RULES_MOST {
        causes.push(Cause::too_many(at, policy.rules.len(), RULES_MOST));
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        causes.extend(self::rule(spec, rule, &format!("{at}[{index}]")));
    }
    causes
}

fn rule(spec: &JobSpec, rule: &Rule, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let action = format!("{at}.action");
    match rule.action.as_str() {
        "" => causes.push(Cause::required(action, format!("valid values: {ACTIONS:?}").as_str())),
        "FailIndex" if spec.backoff_limit_per_index.is_none() => {
            causes.push(Cause::invalid(action, "FailIndex", "requires the backoffLimitPerIndex to be set"));
        }
        known if ACTIONS.contains(&known) => {}
        other => causes.push(Cause::not_supported(action, other, ACTIONS)),
    }
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    match (&rule.on_exit_codes, conditions.is_empty()) {
        (Some(_), false) => {
            let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
            causes.push(Cause::invalid(at, json!(rule), detail));
        }
        (None, true) => {
            let detail = "specifying one of OnExitCodes and OnPodConditions is required";
            causes.push(Cause::invalid(at, json!(rule), detail));
        }
        _ => {}
    }
    if let Some(codes) = &rule.on_exit_codes {
        causes.extend(exit_codes(spec, codes, &format!("{at}.onExitCodes")));
    }
    if conditions.len() > RULES_MOST {
        causes.push(Cause::too_many(format!("{at}.onPodConditions"), conditions.len(), RULES_MOST));
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let at = format!("{at}.onPodConditions[{index}]");
        causes.extend(invalid_each(&format!("{at}.type"), &pattern.type_, format::qualified_name(&pattern.type_)));
        let status = pattern.status.as_deref().unwrap_or("");
        if !matches!(status, "True" | "False" | "Unknown") {
            causes.push(Cause::not_supported(format!("{at}.status"), status, &["False", "True", "Unknown"]));
        }
    }
    causes
}

fn exit_codes(spec: &JobSpec, codes: &ExitCodes, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !matches!(codes.operator.as_str(), "In" | "NotIn") {
        causes.push(Cause::not_supported(format!("{at}.operator"), &codes.operator, &["In", "NotIn"]));
    }
    if let Some(name) = &codes.container_name {
        let pod = spec.template.spec.as_ref();
        let known = pod.is_some_and(|pod| {
            pod.containers.iter().chain(pod.init_containers.iter().flatten()).any(|container| container.name == *name)
        });
        if !known {
            let detail = "must be one of the container or initContainer names in the pod template";
            causes.push(Cause::invalid(format!("{at}.containerName"), name.as_str(), detail));
        }
    }
    let values = format!("{at}.values");
    if codes.values.is_empty() {
        causes.push(Cause::invalid(&values, json!(codes.values), "at least one value is required"));
    } else if codes.values.len() > VALUES_MOST {
        causes.push(Cause::too_many(&values, codes.values.len(), VALUES_MOST));
    }
    for (index, value) in codes.values.iter().enumerate() {
        if *value == 0 && codes.operator == "In" {
            causes.push(Cause::invalid(format!("{values}[{index}]"), 0, "must not be 0 for the In operator"));
        }
        if codes.values[..index].contains(value) {
            causes.push(Cause::duplicate(format!("{values}[{index}]"), *value));
        }
    }
    if !codes.values.is_sorted() {
        causes.push(Cause::invalid(&values, json!(codes.values), "must be ordered"));
    }
    causes
}

/// `successPolicy`.
pub(super) fn success(spec: &JobSpec) -> Vec<Cause> {
    let Some(policy) = &spec.success_policy else {
        return Vec::new();
    };
    if !is_indexed(spec) {
        return vec![Cause::invalid("spec.successPolicy", json!(policy), "requires indexed completion mode")];
    }
    let at = "spec.successPolicy.rules";
    let mut causes = Vec::new();
    if policy.rules.is_empty() {
        causes.push(Cause::required(at, "at least one rules must be specified when the successPolicy is specified"));
    } else if policy.rules.len() > RULES_MOST {
        causes.push(Cause::too_many(at, policy.rules.len(), RULES_MOST));
    }
    let completions = spec.completions.unwrap_or(0);
    for (index, rule) in policy.rules.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
            causes.push(Cause::required(&at, "at least one of succeededCount or succeededIndexes must be specified"));
        }
        let mut most = completions;
        if let Some(text) = &rule.succeeded_indexes {
            match Indexes::parse(text, u32::try_from(completions).unwrap_or(0)) {
                Ok(indexes) => most = i32::try_from(indexes.len()).unwrap_or(i32::MAX),
                Err(why) => causes.push(Cause::invalid(
                    format!("{at}.succeededIndexes"),
                    text.as_str(),
                    format!("error parsing succeededIndexes: {why}"),
                )),
            }
        }
        match rule.succeeded_count {
            Some(count) if count < 1 => {
                causes.push(Cause::invalid(
                    format!("{at}.succeededCount"),
                    count,
                    "must be greater than or equal to 1",
                ));
            }
            Some(count) if count > most => {
                let detail = format!("must be less than or equal to {most} (the number of specified indexes)");
                causes.push(Cause::invalid(format!("{at}.succeededCount"), count, detail));
            }
            _ => {}
        }
    }
    causes
}

/// `podReplacementPolicy`.
pub(super) fn replacement(spec: &JobSpec) -> Vec<Cause> {
    let path = "spec.podReplacementPolicy";
    match spec.pod_replacement_policy.as_deref() {
        None | Some("Failed") => Vec::new(),
        Some(other) if spec.pod_failure_policy.is_some() => vec![Cause::not_supported(path, other, &["Failed"])],
        Some("TerminatingOrFailed") => Vec::new(),
        Some(other) => vec![Cause::not_supported(path, other, &["Failed", "TerminatingOrFailed"])],
    }
}
