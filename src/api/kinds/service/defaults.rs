//! Defaults of services, and what an update keeps of what was allocated.

use crate::value::{At, list_mut, remove, set, set_default};
use serde_json::{Value, json};

fn is_external_name(object: &Value) -> bool {
    object.text("spec.type") == "ExternalName"
}

fn has_node_ports(object: &Value) -> bool {
    matches!(object.text("spec.type"), "NodePort" | "LoadBalancer")
}

pub fn default(object: &mut Value) {
    set_default(object, "spec", json!({}));
    if object.text("spec.type").is_empty() {
        set(object, "spec.type", "ClusterIP");
    }
    if object.text("spec.sessionAffinity").is_empty() {
        set(object, "spec.sessionAffinity", "None");
    }
    match object.text("spec.sessionAffinity") {
        "ClientIP" => set_default(object, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10800),
        "None" => {
            remove(object, "spec.sessionAffinityConfig");
        }
        _ => {}
    }
    for port in list_mut(object, "spec.ports") {
        set_default(port, "protocol", "TCP");
        let target = port.at("targetPort");
        if target.is_null() || *target == json!(0) || *target == json!("") {
            let number = port.at("port").clone();
            set(port, "targetPort", number);
        }
        if port.int("nodePort") == Some(0) {
            remove(port, "nodePort");
        }
    }
    if has_node_ports(object) {
        set_default(object, "spec.externalTrafficPolicy", "Cluster");
    }
    if object.text("spec.type") == "LoadBalancer" {
        set_default(object, "spec.allocateLoadBalancerNodePorts", true);
    }
    if !is_external_name(object) {
        set_default(object, "spec.internalTrafficPolicy", "Cluster");
        families(object);
    }
}

/// The cluster has one family, so a service has one.
fn families(object: &mut Value) {
    let primary = object.text("spec.clusterIP").to_owned();
    let listed = object.list("spec.clusterIPs").first().and_then(Value::as_str).unwrap_or("").to_owned();
    match (primary.as_str(), listed.as_str()) {
        ("", "") => {}
        ("", listed) => set(object, "spec.clusterIP", listed),
        (primary, "") => set(object, "spec.clusterIPs", json!([primary])),
        _ => {}
    }
    set_default(object, "spec.ipFamilyPolicy", "SingleStack");
    let family = if primary.contains(':') || listed.contains(':') { "IPv6" } else { "IPv4" };
    set_default(object, "spec.ipFamilies", json!([family]));
}

/// A replace that does not name what was allocated keeps it.
pub fn keep_allocated(object: &mut Value, old: &Value) {
    if is_external_name(object) || is_external_name(old) {
        return;
    }
    if object.text("spec.clusterIP").is_empty() && object.list("spec.clusterIPs").is_empty() {
        for path in ["spec.clusterIP", "spec.clusterIPs"] {
            if old.has(path) {
                set(object, path, old.at(path).clone());
            }
        }
    }
    if !has_node_ports(object) || !has_node_ports(old) {
        return;
    }
    let taken: Vec<i64> = object.list("spec.ports").iter().filter_map(|port| port.int("nodePort")).collect();
    for port in list_mut(object, "spec.ports") {
        if port.has("nodePort") {
            continue;
        }
        let same = |was: &&Value| was.at("port") == port.at("port") && was.at("protocol") == port.at("protocol");
        let was = old.list("spec.ports").iter().find(same).and_then(|was| was.int("nodePort"));
        if let Some(number) = was.filter(|number| !taken.contains(number)) {
            set(port, "nodePort", number);
        }
    }
}

/// What the old type needed and the new one must not have, if the client did not touch it.
pub fn drop_by_type(object: &mut Value, old: &Value) {
    if is_external_name(object) && !is_external_name(old) {
        for path in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            let path = format!("spec.{path}");
            if object.at(&path) == old.at(&path) {
                remove(object, &path);
            }
        }
    }
    if has_node_ports(old) && !has_node_ports(object) {
        if object.at("spec.externalTrafficPolicy") == old.at("spec.externalTrafficPolicy") {
            remove(object, "spec.externalTrafficPolicy");
        }
        for port in list_mut(object, "spec.ports") {
            let number = port.at("nodePort").clone();
            if old.list("spec.ports").iter().any(|was| *was.at("nodePort") == number) {
                remove(port, "nodePort");
            }
        }
    }
    if old.text("spec.type") == "LoadBalancer" && object.text("spec.type") != "LoadBalancer" {
        remove(object, "spec.allocateLoadBalancerNodePorts");
        remove(object, "spec.loadBalancerClass");
    }
}
