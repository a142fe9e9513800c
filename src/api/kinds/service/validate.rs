//! What is wrong with a service, and with a change of one.

use crate::cause::invalid_each;
use crate::format;
use crate::metadata;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use std::collections::HashSet;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

fn headless(spec: &ServiceSpec) -> bool {
    text(&spec.cluster_ip) == "None"
}

pub fn validate(object: &Service) -> Vec<Cause> {
    let Some(spec) = &object.spec else {
        return vec![Cause::required("spec.ports", "")];
    };
    let kind = text(&spec.type_);
    let mut causes = Vec::new();
    if !TYPES.contains(&kind) {
        causes.push(Cause::not_supported("spec.type", kind, TYPES));
    }
    if !["ClientIP", "None"].contains(&text(&spec.session_affinity)) {
        let found = text(&spec.session_affinity);
        causes.push(Cause::not_supported("spec.sessionAffinity", found, &["ClientIP", "None"]));
    }
    if spec.ports.as_ref().is_none_or(Vec::is_empty) && !headless(spec) && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    causes.extend(metadata::labels(&json!(spec.selector), "spec.selector"));
    causes.extend(addresses(spec, kind));
    causes.extend(ports(spec, kind));
    for (field, value, known) in [
        ("internalTrafficPolicy", &spec.internal_traffic_policy, &["Cluster", "Local"]),
        ("externalTrafficPolicy", &spec.external_traffic_policy, &["Cluster", "Local"]),
    ] {
        if let Some(value) = value
            && !known.contains(&value.as_str())
        {
            causes.push(Cause::not_supported(format!("spec.{field}"), value, known));
        }
    }
    if spec.external_traffic_policy.is_some() && !matches!(kind, "NodePort" | "LoadBalancer") {
        let detail = "may only be set for externally-accessible services";
        let shown = text(&spec.external_traffic_policy);
        causes.push(Cause::invalid("spec.externalTrafficPolicy", shown, detail));
    }
    let timeout = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    if let Some(seconds) = timeout.and_then(|client| client.timeout_seconds)
        && !(1..=86400).contains(&seconds)
    {
        let at = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        causes.push(Cause::invalid(at, seconds, "must be greater than 0 and less than 86400"));
    }
    causes
}

fn addresses(spec: &ServiceSpec, kind: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (primary, all) = (text(&spec.cluster_ip), spec.cluster_ips.as_deref().unwrap_or(&[]));
    if kind == "ExternalName" {
        if !primary.is_empty() || !all.is_empty() {
            causes.push(Cause::forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'"));
        }
        let name = text(&spec.external_name);
        if name.is_empty() {
            causes.push(Cause::required("spec.externalName", ""));
        } else {
            let trimmed = name.strip_suffix('.').unwrap_or(name);
            causes.extend(invalid_each("spec.externalName", name, format::dns_subdomain(trimmed)));
        }
        return causes;
    }
    if primary == "None" && matches!(kind, "NodePort" | "LoadBalancer") {
        let detail = format!("may not be set to 'None' for {kind} services");
        causes.push(Cause::invalid("spec.clusterIPs[0]", "None", detail));
    }
    if let Some(first) = all.first()
        && first != primary
    {
        causes.push(Cause::invalid("spec.clusterIPs", json!(all), "first value must match `clusterIP`"));
    }
    if all.len() > 1 {
        let detail = "may only hold up to 1 value: this cluster has one address family";
        causes.push(Cause::invalid("spec.clusterIPs", json!(all), detail));
    }
    for (index, ip) in all.iter().enumerate().filter(|(_, ip)| *ip != "None") {
        causes.extend(invalid_each(&format!("spec.clusterIPs[{index}]"), ip, format::ip(ip)));
    }
    match spec.ip_families.as_deref() {
        None | Some([_]) => {}
        Some(families) => {
            let detail = "may only hold 1 value: this cluster has one address family";
            causes.push(Cause::invalid("spec.ipFamilies", json!(families), detail));
        }
    }
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        if family != "IPv4" {
            let at = format!("spec.ipFamilies[{index}]");
            causes.push(Cause::invalid(at, family.as_str(), "not configured on this cluster"));
        }
    }
    if text(&spec.ip_family_policy) == "RequireDualStack" {
        let detail = "this cluster is not configured for dual-stack services";
        causes.push(Cause::invalid("spec.ipFamilyPolicy", "RequireDualStack", detail));
    }
    for (index, ip) in spec.external_ips.iter().flatten().enumerate() {
        causes.extend(invalid_each(&format!("spec.externalIPs[{index}]"), ip, format::ip(ip)));
    }
    causes
}

fn ports(spec: &ServiceSpec, kind: &str) -> Vec<Cause> {
    let ports = spec.ports.as_deref().unwrap_or(&[]);
    let mut causes = Vec::new();
    let (mut names, mut numbers, mut node_ports) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        causes.extend(one_port(port, &at, ports.len() > 1));
        let (name, protocol) = (text(&port.name), text(&port.protocol));
        if !name.is_empty() && !names.insert(name) {
            causes.push(Cause::duplicate(format!("{at}.name"), name));
        }
        if !numbers.insert((protocol, port.port)) {
            causes.push(Cause::duplicate(&at, json!({ "protocol": protocol, "port": port.port })));
        }
        let Some(node_port) = port.node_port.filter(|port| *port != 0) else {
            continue;
        };
        if !matches!(kind, "NodePort" | "LoadBalancer") {
            let detail = format!("may not be used when `type` is '{kind}'");
            causes.push(Cause::forbidden(format!("{at}.nodePort"), detail));
        }
        for why in format::port_number(node_port) {
            causes.push(Cause::invalid(format!("{at}.nodePort"), node_port, why));
        }
        if !node_ports.insert((protocol, node_port)) {
            causes.push(Cause::duplicate(format!("{at}.nodePort"), node_port));
        }
    }
    causes
}

fn one_port(port: &ServicePort, path: &str, named: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(&port.name);
    if !name.is_empty() {
        causes.extend(invalid_each(&format!("{path}.name"), name, format::dns_label(name)));
    } else if named {
        causes.push(Cause::required(format!("{path}.name"), ""));
    }
    for why in format::port_number(port.port) {
        causes.push(Cause::invalid(format!("{path}.port"), port.port, why));
    }
    let protocol = text(&port.protocol);
    if !["TCP", "UDP", "SCTP"].contains(&protocol) {
        causes.push(Cause::not_supported(format!("{path}.protocol"), protocol, &["SCTP", "TCP", "UDP"]));
    }
    let at = format!("{path}.targetPort");
    match &port.target_port {
        Some(IntOrString::Int(number)) => {
            causes.extend(format::port_number(*number).into_iter().map(|why| Cause::invalid(&at, *number, why)));
        }
        Some(IntOrString::String(name)) => causes.extend(invalid_each(&at, name, format::port_name(name))),
        None => {}
    }
    causes
}

pub fn validate_update(new: &Service, old: &Service) -> Vec<Cause> {
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else {
        return Vec::new();
    };
    if text(&new.type_) == "ExternalName" || text(&old.type_) == "ExternalName" {
        return Vec::new();
    }
    let (was, now) = (text(&old.cluster_ip), text(&new.cluster_ip));
    if was.is_empty() || was == now {
        return Vec::new();
    }
    if now.is_empty() {
        return vec![Cause::invalid(
            "spec.clusterIPs[0]",
            json!(new.cluster_ips),
            "primary clusterIP can not be unset",
        )];
    }
    vec![Cause::invalid("spec.clusterIPs[0]", json!(new.cluster_ips), "may not change once set")]
}
