//! What is wrong with `affinity`.

use crate::cause::invalid_each;
use crate::format;
use crate::kinds::template::label_selector;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Affinity, NodeSelectorTerm, PodAffinityTerm, WeightedPodAffinityTerm};

pub fn validate(affinity: &Affinity, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(node) = &affinity.node_affinity {
        let at = format!("{path}.nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            let at = format!("{at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
            if required.node_selector_terms.is_empty() {
                causes.push(Cause::required(&at, "must have at least one node selector term"));
            }
            for (index, found) in required.node_selector_terms.iter().enumerate() {
                causes.extend(term(found, &format!("{at}[{index}]")));
            }
        }
        let preferred = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        for (index, found) in preferred.enumerate() {
            let at = format!("{at}.preferredDuringSchedulingIgnoredDuringExecution[{index}]");
            causes.extend(weight(found.weight, &at));
            causes.extend(term(&found.preference, &format!("{at}.preference")));
        }
    }
    if let Some(pods) = &affinity.pod_affinity {
        let (required, preferred) = (
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
        causes.extend(pod_terms(required, preferred, &format!("{path}.podAffinity")));
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let (required, preferred) = (
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
        causes.extend(pod_terms(required, preferred, &format!("{path}.podAntiAffinity")));
    }
    causes
}

fn weight(weight: i32, path: &str) -> Vec<Cause> {
    if (1..=100).contains(&weight) {
        return Vec::new();
    }
    vec![Cause::invalid(format!("{path}.weight"), weight, "must be in the range 1-100")]
}

fn pod_terms(
    required: &Option<Vec<PodAffinityTerm>>,
    preferred: &Option<Vec<WeightedPodAffinityTerm>>,
    path: &str,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, found) in required.iter().flatten().enumerate() {
        causes.extend(pod_term(found, &format!("{path}.requiredDuringSchedulingIgnoredDuringExecution[{index}]")));
    }
    for (index, found) in preferred.iter().flatten().enumerate() {
        let at = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}]");
        causes.extend(weight(found.weight, &at));
        causes.extend(pod_term(&found.pod_affinity_term, &format!("{at}.podAffinityTerm")));
    }
    causes
}

fn pod_term(found: &PodAffinityTerm, path: &str) -> Vec<Cause> {
    let at = format!("{path}.topologyKey");
    let mut causes = if found.topology_key.is_empty() {
        vec![Cause::required(at, "can not be empty")]
    } else {
        invalid_each(&at, &found.topology_key, format::qualified_name(&found.topology_key))
    };
    for namespace in found.namespaces.iter().flatten() {
        causes.extend(invalid_each(&format!("{path}.namespaces"), namespace, format::dns_label(namespace)));
    }
    for (selector, field) in
        [(&found.label_selector, "labelSelector"), (&found.namespace_selector, "namespaceSelector")]
    {
        if let Some(selector) = selector {
            causes.extend(label_selector(selector, &format!("{path}.{field}")));
        }
    }
    causes
}

fn term(found: &NodeSelectorTerm, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, requirement) in found.match_expressions.iter().flatten().enumerate() {
        let at = format!("{path}.matchExpressions[{index}]");
        let values = requirement.values.as_deref().unwrap_or(&[]);
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => causes
                .push(Cause::required(format!("{at}.values"), "must be specified when `operator` is 'In' or 'NotIn'")),
            "Exists" | "DoesNotExist" if !values.is_empty() => causes.push(Cause::forbidden(
                format!("{at}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "Gt" | "Lt" if values.len() != 1 => causes.push(Cause::required(
                format!("{at}.values"),
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => causes.push(Cause::invalid(format!("{at}.operator"), other, "not a valid selector operator")),
        }
        causes.extend(invalid_each(&format!("{at}.key"), &requirement.key, format::qualified_name(&requirement.key)));
    }
    for (index, requirement) in found.match_fields.iter().flatten().enumerate() {
        let at = format!("{path}.matchFields[{index}]");
        if requirement.key != "metadata.name" {
            causes.push(Cause::invalid(
                format!("{at}.key"),
                requirement.key.as_str(),
                "not a valid field selector key",
            ));
        }
        if !matches!(requirement.operator.as_str(), "In" | "NotIn") {
            let operator = requirement.operator.as_str();
            causes.push(Cause::invalid(format!("{at}.operator"), operator, "not a valid selector operator"));
        } else if requirement.values.as_ref().is_none_or(|values| values.len() != 1) {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            causes.push(Cause::required(format!("{at}.values"), detail));
        }
    }
    causes
}
