//! What only one Service may have: its address and its node ports.

mod addresses;
mod ports;

use crate::config::ApiConfig;
use crate::write::Target;
use raftsman_api::kind::Moment;
use raftsman_api::status::Cause;
use raftsman_api::value::{At, copy, remove, set};
use raftsman_state::{Compare, Key, Op, View};
use serde_json::Value;

/// The kind of Service has an address of its own.
fn has_address(service: &Value) -> bool {
    matches!(service.text("spec.type"), "" | "ClusterIP" | "NodePort" | "LoadBalancer")
}

/// The kind of Service may have ports on the nodes that were asked for.
fn may_have_node_ports(service: &Value) -> bool {
    matches!(service.text("spec.type"), "NodePort" | "LoadBalancer")
}

/// The kind of Service is given ports on the nodes.
fn has_node_ports(service: &Value) -> bool {
    match service.text("spec.type") {
        "NodePort" => true,
        "LoadBalancer" => service.at("spec.allocateLoadBalancerNodePorts").as_bool().unwrap_or(true),
        _ => false,
    }
}

/// What a replacement leaves out and the server had chosen stays; what the new type has no use for goes.
pub(super) fn carry_over(old: &Value, service: &mut Value) {
    if has_address(old) && has_address(service) {
        for field in ["spec.clusterIP", "spec.clusterIPs"] {
            if service.text("spec.clusterIP").is_empty() || field == "spec.clusterIPs" && !service.has(field) {
                copy(service, old, field);
            }
        }
    }
    if has_address(old) && !has_address(service) && service.at("spec.clusterIP") == old.at("spec.clusterIP") {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            remove(service, &format!("spec.{field}"));
        }
    }
    ports::carry_over(old, service);
}

/// Chooses (or checks) the Service's addresses and node ports, and says how new ones are reserved.
///
/// # Errors
/// What was asked for is taken or out of range, or a range is used up.
pub(super) fn allocate(
    view: &View,
    config: &ApiConfig,
    target: &Target,
    old: Option<&Value>,
    service: &mut Value,
    moment: &Moment,
) -> Result<Vec<(Compare, Op)>, Cause> {
    let mut reserved = Vec::new();
    if has_address(service) {
        families(service);
        reserved.extend(addresses::allocate(view, config, target, old, service, moment)?);
    }
    reserved.extend(ports::allocate(view, config, target, old, service)?);
    Ok(reserved)
}

/// The keys of everything that a Service holds.
pub(super) fn held(service: &Value) -> Vec<Key> {
    addresses::held(service).into_iter().chain(ports::held(service)).collect()
}

/// One family for now: that of the cluster's range.
fn families(service: &mut Value) {
    if !service.has("spec.ipFamilies") {
        set(service, "spec.ipFamilies", vec![Value::from("IPv4")]);
    }
    if !service.has("spec.ipFamilyPolicy") {
        set(service, "spec.ipFamilyPolicy", "SingleStack");
    }
}

/// In what order the places of a range are tried: from a random one on, the `low` first ones, which upstream leaves to
/// explicit choices too, last (KEP-3070, KEP-3668).
fn attempts(size: u64, low: u64, random: u64) -> impl Iterator<Item = u64> {
    let upper = size.saturating_sub(low);
    let start = random.checked_rem(upper).unwrap_or_default();
    (0..upper).map(move |step| low + (start + step) % upper).chain(0..low.min(size))
}

#[cfg(test)]
mod tests {
    use super::attempts;

    #[test]
    fn every_place_is_tried_once_and_the_low_ones_last() {
        assert_eq!(attempts(6, 2, 5).collect::<Vec<_>>(), [3, 4, 5, 2, 0, 1]);
        assert_eq!(attempts(2, 2, u64::MAX).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(attempts(1, 2, 9).collect::<Vec<_>>(), [0]);
        assert_eq!(attempts(0, 0, 9).count(), 0);
    }
}
