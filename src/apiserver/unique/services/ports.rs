//! Ports on the nodes, each reserved by a key that the API does not serve.

use super::{attempts, has_node_ports, may_have_node_ports};
use crate::config::ApiConfig;
use crate::unique::hidden;
use crate::write::Target;
use raftsman_api::status::Cause;
use raftsman_api::value::{At, list_mut, remove, set};
use raftsman_state::{Compare, Key, Op, Resource, View};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RESOURCE: &str = "raftsman/nodeports";

fn key(port: u16) -> Key {
    Key::new(&Resource::from(RESOURCE), "", &port.to_string())
}

fn ports(service: &Value) -> BTreeSet<u16> {
    if !may_have_node_ports(service) {
        return BTreeSet::new();
    }
    let given = service.list("spec.ports").iter().filter_map(|port| port.int("nodePort"));
    given.filter_map(|port| u16::try_from(port).ok()).filter(|port| *port > 0).collect()
}

/// The keys of a Service's node ports.
pub(super) fn held(service: &Value) -> Vec<Key> {
    ports(service).into_iter().map(key).collect()
}

/// A replacement keeps the node ports of ports of the same name; a type without them loses those that it had.
pub(super) fn carry_over(old: &Value, service: &mut Value) {
    let by_name = |name: &str| {
        let found = old.list("spec.ports").iter().find(|port| port.text("name") == name);
        found.and_then(|port| port.int("nodePort")).filter(|port| *port > 0)
    };
    let (had, has) = (has_node_ports(old), has_node_ports(service));
    for port in list_mut(service, "spec.ports") {
        let kept = by_name(port.text("name"));
        let given = port.int("nodePort").filter(|port| *port > 0);
        if had && has && given.is_none() {
            if let Some(kept) = kept {
                set(port, "nodePort", kept);
            }
        } else if had && !has && given == kept {
            remove(port, "nodePort");
        }
    }
}

/// Sets missing node ports and gives the reservations of those that the old object did not have.
pub(super) fn allocate(
    view: &View,
    config: &ApiConfig,
    target: &Target,
    old: Option<&Value>,
    service: &mut Value,
) -> Result<Vec<(Compare, Op)>, Cause> {
    let before = old.map(ports).unwrap_or_default();
    let chooses = has_node_ports(service);
    let mut own = ports(service);
    let mut seen: Vec<(u16, String)> = Vec::new();
    for (index, port) in service.list("spec.ports").iter().enumerate() {
        let Some(given) = port.int("nodePort").filter(|given| *given != 0) else {
            continue;
        };
        let field = format!("spec.ports[{index}].nodePort");
        if !may_have_node_ports(service) {
            return Err(Cause::forbidden(
                field,
                format!("may not be used when `type` is '{}'", service.text("spec.type")),
            ));
        }
        let (first, last) = config.node_ports;
        let invalid = |why: String| Cause::invalid(field.clone(), given, why);
        let number = u16::try_from(given).ok().filter(|number| (first..=last).contains(number));
        let Some(number) = number else {
            return Err(invalid(format!(
                "provided port is not in the valid range. The range of valid ports is {first}-{last}"
            )));
        };
        let protocol = port.text("protocol").to_owned();
        if seen.contains(&(number, protocol.clone())) {
            return Err(Cause::duplicate(field, given));
        }
        seen.push((number, protocol));
        if !before.contains(&number) && view.get(&key(number)).is_some() {
            return Err(invalid("provided port is already allocated".to_owned()));
        }
    }
    if chooses {
        for port in list_mut(service, "spec.ports") {
            if port.int("nodePort").unwrap_or(0) == 0 {
                let chosen = choose(view, config, &own, rand::random()).ok_or_else(|| {
                    Cause::invalid("spec.ports", json!([]), "failed to allocate a nodePort: range is full")
                })?;
                own.insert(chosen);
                set(port, "nodePort", chosen);
            }
        }
    }
    Ok(own.difference(&before).map(|port| reserve(*port, target)).collect())
}

fn reserve(port: u16, target: &Target) -> (Compare, Op) {
    hidden(key(port), &json!({ "namespace": target.namespace, "service": target.name }))
}

/// A free port.
fn choose(view: &View, config: &ApiConfig, own: &BTreeSet<u16>, random: u64) -> Option<u16> {
    let (first, last) = config.node_ports;
    let size = u64::from(last.checked_sub(first)?) + 1;
    let low = if size <= 16 { 0 } else { (size / 32).clamp(16, 128) };
    attempts(size, low, random)
        .filter_map(|index| u16::try_from(u64::from(first) + index).ok())
        .find(|port| !own.contains(port) && view.get(&key(*port)).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_lie_in_the_range_and_above_its_low_end() {
        let config = ApiConfig::default();
        for random in [0, 1, 4000, u64::MAX] {
            let port = choose(&View::default(), &config, &BTreeSet::new(), random);
            assert!(port.is_some_and(|port| (30086..=32767).contains(&port)), "{port:?}");
        }
        let one = ApiConfig { node_ports: (30000, 30000), ..config };
        assert_eq!(choose(&View::default(), &one, &BTreeSet::new(), 9), Some(30000));
        assert_eq!(choose(&View::default(), &one, &BTreeSet::from([30000]), 9), None);
    }

    #[test]
    fn a_replacement_keeps_ports_by_name_and_a_plain_service_has_none() {
        let old = json!({ "spec": { "type": "NodePort", "ports": [{ "name": "a", "port": 1, "nodePort": 30001 }] } });
        let mut new = json!({ "spec": { "type": "NodePort", "ports": [{ "name": "a", "port": 2 }] } });
        carry_over(&old, &mut new);
        assert_eq!(new["spec"]["ports"][0]["nodePort"], 30001);
        new["spec"]["type"] = "ClusterIP".into();
        carry_over(&old, &mut new);
        assert_eq!(new["spec"]["ports"][0].get("nodePort"), None);
    }
}
