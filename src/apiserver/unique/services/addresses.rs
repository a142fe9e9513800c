//! Cluster addresses, each reserved by an `IPAddress` object.

use super::attempts;
use crate::config::ApiConfig;
use crate::write::{Target, reservation};
use ipnet::IpNet;
use raftsman_api::kind::Moment;
use raftsman_api::status::Cause;
use raftsman_api::value::{At, set};
use raftsman_state::{Compare, Key, Op, Resource, View};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const RESOURCE: &str = "networking.k8s.io/ipaddresses";
const NONE: &str = "None";

fn key(ip: &str) -> Key {
    Key::new(&Resource::from(RESOURCE), "", ip)
}

/// The keys of a Service's addresses.
pub(super) fn held(service: &Value) -> Vec<Key> {
    match service.text("spec.clusterIP") {
        "" | NONE => Vec::new(),
        ip => vec![key(ip)],
    }
}

/// Sets `spec.clusterIP` and gives its reservation, if it needs a new one.
pub(super) fn allocate(
    view: &View,
    config: &ApiConfig,
    target: &Target,
    old: Option<&Value>,
    service: &mut Value,
    moment: &Moment,
) -> Result<Option<(Compare, Op)>, Cause> {
    let asked = match service.text("spec.clusterIP") {
        "" => service.list("spec.clusterIPs").first().and_then(Value::as_str).unwrap_or("").to_owned(),
        ip => ip.to_owned(),
    };
    if asked == NONE {
        set(service, "spec.clusterIP", NONE);
        set(service, "spec.clusterIPs", vec![Value::from(NONE)]);
        return Ok(None);
    }
    if !asked.is_empty() && old.is_some_and(|old| old.text("spec.clusterIP") == asked) {
        set(service, "spec.clusterIPs", vec![Value::from(asked)]);
        return Ok(None);
    }
    let ip = if asked.is_empty() {
        choose(view, config, rand::random()).ok_or_else(|| {
            Cause::invalid(
                "spec.clusterIPs",
                json!([]),
                format!("failed to allocate a serviceIP: range {} is full", config.service_cidr),
            )
        })?
    } else {
        explicit(view, config, &asked)?
    };
    set(service, "spec.clusterIP", ip.to_string());
    set(service, "spec.clusterIPs", vec![Value::from(ip.to_string())]);
    reservation(&address(ip, target), moment)
        .map(Some)
        .map_err(|error| Cause::invalid("spec.clusterIPs", json!([ip.to_string()]), error))
}

/// An address that the client asked for.
fn explicit(view: &View, config: &ApiConfig, asked: &str) -> Result<IpAddr, Cause> {
    let invalid = |why: String| {
        Cause::invalid("spec.clusterIPs", json!([asked]), format!("failed to allocate IP {asked}: {why}"))
    };
    let ip: IpAddr = asked.parse().map_err(|_| invalid("it is no IP address".to_owned()))?;
    if !config.service_cidr.contains(&ip) {
        return Err(invalid(format!(
            "the provided IP ({asked}) is not in the valid range. The range of valid IPs is {}",
            config.service_cidr
        )));
    }
    if view.get(&key(&ip.to_string())).is_some() {
        return Err(invalid("provided IP is already allocated".to_owned()));
    }
    Ok(ip)
}

/// A free address.
fn choose(view: &View, config: &ApiConfig, random: u64) -> Option<IpAddr> {
    // Hosts only: neither the network's own address nor the broadcast's.
    let size = host_count(&config.service_cidr);
    let low = (size / 16).clamp(16, 256).min(size / 2);
    attempts(size, low, random)
        .filter_map(|index| host(&config.service_cidr, index))
        .find(|ip| !config.reserved_ips.contains(ip) && view.get(&key(&ip.to_string())).is_none())
}

fn host_count(range: &IpNet) -> u64 {
    let bits = u32::from(range.max_prefix_len() - range.prefix_len()).min(32);
    (1_u64 << bits).saturating_sub(2)
}

fn host(range: &IpNet, index: u64) -> Option<IpAddr> {
    match range.network() {
        IpAddr::V4(ip) => {
            let offset = u32::try_from(index + 1).ok()?;
            Some(Ipv4Addr::from(u32::from(ip).checked_add(offset)?).into())
        }
        IpAddr::V6(ip) => Some(Ipv6Addr::from(u128::from(ip).checked_add(u128::from(index) + 1)?).into()),
    }
}

/// The `networking.k8s.io/v1 IPAddress` that reserves an address for a Service.
fn address(ip: IpAddr, target: &Target) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": { "name": ip.to_string(), "labels": {
            "ipaddress.kubernetes.io/ip-family": if ip.is_ipv4() { "IPv4" } else { "IPv6" },
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }},
        "spec": { "parentRef": {
            "group": "", "resource": "services", "namespace": target.namespace, "name": target.name,
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_addresses_leave_the_low_end_and_the_resolver() {
        let config = ApiConfig::default();
        let view = View::default();
        for random in [0, 1, 77, u64::MAX, 65_000] {
            let ip = choose(&view, &config, random);
            let Some(IpAddr::V4(ip)) = ip else { unreachable!("no address") };
            assert!(config.service_cidr.contains(&IpAddr::V4(ip)));
            assert!(u32::from(ip) - u32::from(Ipv4Addr::new(10, 96, 0, 0)) > 256, "{ip}");
        }
    }

    #[test]
    fn a_small_range_is_used_up_and_says_so() {
        let config = ApiConfig { service_cidr: "10.0.0.0/30".parse().unwrap_or_default(), ..ApiConfig::default() };
        let both: Vec<_> = (0..2).filter_map(|index| host(&config.service_cidr, index)).collect();
        let full = ApiConfig { reserved_ips: both, ..config.clone() };
        assert!(choose(&View::default(), &config, 3).is_some());
        assert_eq!(choose(&View::default(), &full, 3), None);
    }
}
