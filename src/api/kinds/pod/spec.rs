//! What is wrong with a pod spec, in a pod or in a template.

use super::{affinity, container, volume};
use crate::cause::invalid_each;
use crate::format;
use crate::kinds::template::label_selector;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{PodSpec, Toleration};
use std::collections::HashSet;

/// Pulls a text out of an option.
pub(super) fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

/// One of these, and required.
pub(super) fn one_of(path: &str, value: &Option<String>, supported: &[&str]) -> Vec<Cause> {
    match text(value) {
        "" => vec![Cause::required(path, "")],
        found if supported.contains(&found) => Vec::new(),
        found => vec![Cause::not_supported(path, found, supported)],
    }
}

/// One of these if it is there.
pub(super) fn maybe_one_of(path: &str, value: &Option<String>, supported: &[&str]) -> Vec<Cause> {
    if text(value).is_empty() { Vec::new() } else { one_of(path, value, supported) }
}

/// Not below zero.
pub(super) fn nonnegative(path: &str, value: Option<i64>) -> Vec<Cause> {
    match value {
        Some(number) if number < 0 => vec![Cause::invalid(path, number, "must be greater than or equal to 0")],
        _ => Vec::new(),
    }
}

/// A name that must be a DNS subdomain if it is there.
fn subdomain(path: String, value: &Option<String>) -> Vec<Cause> {
    match text(value) {
        "" => Vec::new(),
        found => invalid_each(&path, found, format::dns_subdomain(found)),
    }
}

fn label(path: String, value: &Option<String>) -> Vec<Cause> {
    match text(value) {
        "" => Vec::new(),
        found => invalid_each(&path, found, format::dns_label(found)),
    }
}

/// Everything that can be said of a pod spec by itself. `path` is where it stands: `spec`, `spec.template.spec`.
pub fn validate_spec(spec: &PodSpec, path: &str) -> Vec<Cause> {
    let (volumes, mut causes) = volume::validate(spec, &format!("{path}.volumes"));
    causes.extend(container::validate_all(spec, path, &volumes));
    causes.extend(one_of(&format!("{path}.restartPolicy"), &spec.restart_policy, &["Always", "OnFailure", "Never"]));
    causes.extend(dns(spec, path));
    causes.extend(nonnegative(&format!("{path}.terminationGracePeriodSeconds"), spec.termination_grace_period_seconds));
    if let Some(deadline) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&deadline)
    {
        causes.push(Cause::invalid(
            format!("{path}.activeDeadlineSeconds"),
            deadline,
            "must be between 1 and 2147483647, inclusive",
        ));
    }
    for (key, value) in spec.node_selector.iter().flatten() {
        let at = format!("{path}.nodeSelector");
        causes.extend(invalid_each(&at, key, format::qualified_name(key)));
        causes.extend(invalid_each(&at, value, format::label_value(value)));
    }
    causes.extend(subdomain(format!("{path}.nodeName"), &spec.node_name));
    causes.extend(subdomain(format!("{path}.serviceAccountName"), &spec.service_account_name));
    causes.extend(subdomain(format!("{path}.priorityClassName"), &spec.priority_class_name));
    causes.extend(subdomain(format!("{path}.runtimeClassName"), &spec.runtime_class_name));
    causes.extend(subdomain(format!("{path}.schedulerName"), &spec.scheduler_name));
    causes.extend(label(format!("{path}.hostname"), &spec.hostname));
    causes.extend(label(format!("{path}.subdomain"), &spec.subdomain));
    causes.extend(maybe_one_of(
        &format!("{path}.preemptionPolicy"),
        &spec.preemption_policy,
        &["PreemptLowerPriority", "Never"],
    ));
    for (index, secret) in spec.image_pull_secrets.iter().flatten().enumerate() {
        if secret.name.is_empty() {
            causes.push(Cause::required(format!("{path}.imagePullSecrets[{index}].name"), ""));
        }
    }
    causes.extend(host(spec, path));
    causes.extend(tolerations(spec, &format!("{path}.tolerations")));
    causes.extend(spreads(spec, &format!("{path}.topologySpreadConstraints")));
    if let Some(affinity) = &spec.affinity {
        causes.extend(affinity::validate(affinity, &format!("{path}.affinity")));
    }
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let at = format!("{path}.readinessGates[{index}].conditionType");
        causes.extend(invalid_each(&at, &gate.condition_type, format::qualified_name(&gate.condition_type)));
    }
    causes
}

fn dns(spec: &PodSpec, path: &str) -> Vec<Cause> {
    let mut causes = one_of(
        &format!("{path}.dnsPolicy"),
        &spec.dns_policy,
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    let config = spec.dns_config.as_ref();
    let servers: Vec<&String> = config.iter().flat_map(|config| config.nameservers.iter().flatten()).collect();
    let at = format!("{path}.dnsConfig.nameservers");
    if text(&spec.dns_policy) == "None" {
        if config.is_none() {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            causes.push(Cause::required(format!("{path}.dnsConfig"), detail));
        } else if servers.is_empty() {
            causes.push(Cause::required(&at, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
        }
    }
    if servers.len() > 3 {
        causes.push(Cause::too_many(&at, servers.len(), 3));
    }
    for (index, server) in servers.into_iter().enumerate() {
        causes.extend(invalid_each(&format!("{at}[{index}]"), server, format::ip(server)));
    }
    let searches: Vec<&String> = config.iter().flat_map(|config| config.searches.iter().flatten()).collect();
    if searches.len() > 32 {
        causes.push(Cause::too_many(format!("{path}.dnsConfig.searches"), searches.len(), 32));
    }
    causes
}

fn host(spec: &PodSpec, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let at = format!("{path}.hostAliases[{index}]");
        causes.extend(invalid_each(&format!("{at}.ip"), &alias.ip, format::ip(&alias.ip)));
        for name in alias.hostnames.iter().flatten() {
            causes.extend(invalid_each(&format!("{at}.hostnames"), name, format::dns_subdomain(name)));
        }
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        causes.push(Cause::invalid(format!("{path}.shareProcessNamespace"), true, detail));
    }
    causes
}

fn tolerations(spec: &PodSpec, path: &str) -> Vec<Cause> {
    let all = spec.tolerations.iter().flatten().enumerate();
    all.flat_map(|(index, toleration)| validate_toleration(toleration, &format!("{path}[{index}]"))).collect()
}

fn validate_toleration(toleration: &Toleration, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (key, operator) = (text(&toleration.key), text(&toleration.operator));
    let value = text(&toleration.value);
    if !key.is_empty() {
        causes.extend(invalid_each(&format!("{path}.key"), key, format::qualified_name(key)));
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        causes.push(Cause::invalid(format!("{path}.operator"), operator, detail));
    }
    if toleration.toleration_seconds.is_some() && text(&toleration.effect) != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        causes.push(Cause::invalid(format!("{path}.effect"), text(&toleration.effect), detail));
    }
    match operator {
        "" | "Equal" => {
            causes.extend(invalid_each(&format!("{path}.operator"), value, format::label_value(value)));
        }
        "Exists" if !value.is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            causes.push(Cause::invalid(format!("{path}.operator"), value, detail));
        }
        "Exists" => {}
        other => causes.push(Cause::not_supported(format!("{path}.operator"), other, &["Equal", "Exists"])),
    }
    causes.extend(maybe_one_of(
        &format!("{path}.effect"),
        &toleration.effect,
        &["NoSchedule", "PreferNoSchedule", "NoExecute"],
    ));
    causes
}

fn spreads(spec: &PodSpec, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut seen = HashSet::new();
    for (index, spread) in spec.topology_spread_constraints.iter().flatten().enumerate() {
        let at = format!("{path}[{index}]");
        if spread.max_skew <= 0 {
            causes.push(Cause::invalid(format!("{at}.maxSkew"), spread.max_skew, "must be greater than zero"));
        }
        if spread.topology_key.is_empty() {
            causes.push(Cause::required(format!("{at}.topologyKey"), "can not be empty"));
        } else {
            let key = &spread.topology_key;
            causes.extend(invalid_each(&format!("{at}.topologyKey"), key, format::qualified_name(key)));
        }
        let when = Some(spread.when_unsatisfiable.clone());
        causes.extend(one_of(&format!("{at}.whenUnsatisfiable"), &when, &["DoNotSchedule", "ScheduleAnyway"]));
        if !seen.insert((&spread.topology_key, &spread.when_unsatisfiable)) {
            let pair = format!("{{{}, {}}}", spread.topology_key, spread.when_unsatisfiable);
            causes.push(Cause::duplicate(format!("{at}.{{topologyKey, whenUnsatisfiable}}"), pair));
        }
        if let Some(selector) = &spread.label_selector {
            causes.extend(label_selector(selector, &format!("{at}.labelSelector")));
        }
    }
    causes
}
