//! Endpoints that somebody writes by hand for a Service without a selector: nodes read EndpointSlices only, so they are
//! mirrored into some.

use super::kept::{self, MANAGED_BY, SERVICE_NAME};
use super::member::family;
use crate::objects::{self, ENDPOINT_SLICES, ENDPOINTS, SERVICES};
use crate::{Controller, Key, Now, Plan, WorkKey};
use k8s_openapi::api::core::v1::{self, EndpointAddress, EndpointSubset, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use raftsman_state::{Change, Object, View};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

const CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints that are no endpoints: an old kind of lock.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const NOT_COPIED: [&str; 2] =
    ["endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration"];
/// Addresses of one set of ports at most (upstream `MaxEndpointsPerSubset`).
const MOST: usize = 1000;

/// Mirrors Endpoints into EndpointSlices.
pub struct EndpointSliceMirroring;

impl Controller for EndpointSliceMirroring {
    fn name(&self) -> &'static str {
        "endpointslicemirroring-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if key.resource == *SERVICES || key.resource == *ENDPOINTS {
            return vec![Key::new(&ENDPOINTS, key.namespace(), key.name())];
        }
        if key.resource != *ENDPOINT_SLICES {
            return Vec::new();
        }
        change.previous.iter().chain([&change.object]).filter_map(|slice| source_of(slice)).collect()
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let mut keys = objects::keys(view, &ENDPOINTS);
        keys.extend(view.list(&ENDPOINT_SLICES, None).filter_map(|slice| source_of(slice)));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let mut held = kept::held(view, key, CONTROLLER);
        if let Some((object, endpoints)) = source(view, key) {
            let (groups, skipped) = groups(endpoints.subsets.as_deref().unwrap_or_default());
            if skipped > 0 {
                let message = format!(
                    "A max of {MOST} addresses can be mirrored to EndpointSlices per Endpoints subset. {skipped} addresses were skipped"
                );
                let about = ("v1", "Endpoints");
                plan.push(objects::event(&object, about, false, "TooManyAddressesToMirror", message));
            }
            for (salt, group) in groups.into_iter().enumerate() {
                let wanted = slice(&endpoints, group);
                let same = held
                    .iter()
                    .position(|(_, slice)| slice.address_type == wanted.address_type && slice.ports == wanted.ports);
                let change = match same.map(|at| held.swap_remove(at)) {
                    Some(slice) => kept::update(&slice, &wanted),
                    None => kept::create(view, now, ("Endpoints", &object), wanted, salt as u64),
                };
                change.into_iter().for_each(|change| plan.push(change));
            }
        }
        held.iter().for_each(|(slice, _)| plan.push(kept::delete(slice)));
        plan
    }
}

/// The Endpoints that a slice mirrors.
fn source_of(slice: &Object) -> Option<WorkKey> {
    kept::source_of(slice, CONTROLLER, &ENDPOINTS)
}

/// The Endpoints at a key, if they are to be mirrored.
fn source(view: &View, key: &WorkKey) -> Option<(Arc<Object>, Arc<v1::Endpoints>)> {
    let (object, endpoints) = objects::get::<v1::Endpoints>(view, key)?;
    let (_, service) = objects::get::<Service>(view, &Key::new(&SERVICES, key.namespace(), key.name()))?;
    let selects = service.spec.as_ref()?.selector.as_ref().is_some_and(|selector| !selector.is_empty());
    let lock = endpoints.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(LEADER));
    let skip = object.meta.label(SKIP) == Some("true");
    (!selects && !lock && !skip && !object.meta.deleting).then_some((object, endpoints))
}

/// What makes one slice: a family and ports, and the endpoints by address.
type Group = ((&'static str, Vec<EndpointPort>), BTreeMap<IpAddr, Endpoint>);

/// The endpoints by slice, and how many were too many.
fn groups(subsets: &[EndpointSubset]) -> (Vec<Group>, usize) {
    let mut groups: Vec<Group> = Vec::new();
    let mut skipped = 0;
    for subset in subsets {
        let ports: Vec<EndpointPort> = subset.ports.iter().flatten().map(port).collect();
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
        for (address, ready) in ready.chain(not_ready) {
            let Ok(ip) = address.ip.parse::<IpAddr>() else { continue };
            let group = (family(&address.ip), ports.clone());
            let at = groups.iter().position(|(held, _)| *held == group).unwrap_or_else(|| {
                groups.push((group, BTreeMap::new()));
                groups.len() - 1
            });
            let endpoints = &mut groups[at].1;
            if endpoints.len() >= MOST && !endpoints.contains_key(&ip) {
                skipped += 1;
                continue;
            }
            endpoints.entry(ip).or_insert_with(|| endpoint(ip, address, ready));
        }
    }
    (groups, skipped)
}

fn port(port: &v1::EndpointPort) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        app_protocol: port.app_protocol.clone(),
    }
}

fn endpoint(ip: IpAddr, address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions { ready: Some(ready), ..EndpointConditions::default() }),
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

/// The slice as it should be, without a name.
fn slice(source: &v1::Endpoints, ((family, ports), endpoints): Group) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: family.to_owned(), ..EndpointSlice::default() };
    let mut labels = source.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), source.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY.to_owned(), CONTROLLER.to_owned());
    slice.metadata.labels = Some(labels);
    let mut annotations = source.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|name, _| !NOT_COPIED.contains(&name.as_str()));
    slice.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    slice.ports = (!ports.is_empty()).then_some(ports);
    slice.endpoints = Some(endpoints.into_values().collect());
    slice
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::endpoints::{EndpointSlices, Endpoints};
    use crate::testing::Cluster;
    use raftsman_api::value::At;
    use serde_json::{Value, json};

    fn service(selector: Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "x"},
            "spec": {"clusterIP": "10.96.0.9", "selector": selector, "ports": [{"port": 5432, "protocol": "TCP"}]},
        })
    }

    fn endpoints(addresses: &[&str]) -> Value {
        let addresses: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": "db", "namespace": "x", "labels": {"team": "a"}, "annotations": {NOT_COPIED[1]: "{}", "a": "b"}},
            "subsets": [{
                "addresses": addresses, "notReadyAddresses": [{"ip": "192.0.2.99"}, {"ip": "2001:db8::1"}],
                "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
            }],
        })
    }

    fn settle(cluster: &mut Cluster) -> Vec<Value> {
        cluster.settle(&[&EndpointSliceMirroring, &EndpointSlices, &Endpoints]);
        let mut slices: Vec<Value> =
            cluster.view().list(&ENDPOINT_SLICES, None).map(|slice| cluster.json(&slice.key)).collect();
        slices.sort_by_key(|slice| slice.text("addressType").to_owned());
        slices
    }

    fn shown(slice: &Value) -> Vec<(&str, bool)> {
        let endpoints = slice.list("endpoints").iter();
        endpoints.map(|one| (one["addresses"][0].as_str().unwrap(), one.flag("conditions.ready"))).collect()
    }

    #[test]
    fn hand_written_endpoints_become_slices_and_go_with_their_source() {
        let mut cluster = Cluster::default();
        cluster.put(endpoints(&["192.0.2.2", "192.0.2.1"]));
        assert!(settle(&mut cluster).is_empty(), "no service yet");
        cluster.put(service(Value::Null));
        let slices = settle(&mut cluster);
        assert_eq!(slices.len(), 2);
        assert_eq!(shown(&slices[0]), [("192.0.2.1", true), ("192.0.2.2", true), ("192.0.2.99", false)]);
        assert_eq!(shown(&slices[1]), [("2001:db8::1", false)]);
        assert_eq!(slices[0]["ports"], json!([{"name": "sql", "port": 5432, "protocol": "TCP"}]));
        assert_eq!(
            slices[0]["metadata"]["labels"],
            json!({"team": "a", "kubernetes.io/service-name": "db", MANAGED_BY: CONTROLLER})
        );
        assert_eq!(slices[0]["metadata"]["annotations"], json!({"a": "b"}));
        assert_eq!(slices[0].list("metadata.ownerReferences")[0]["kind"], "Endpoints");
        let name = slices[0]["metadata"]["name"].clone();
        cluster.put(endpoints(&["192.0.2.3"]));
        let slices = settle(&mut cluster);
        assert_eq!(shown(&slices[0]), [("192.0.2.3", true), ("192.0.2.99", false)]);
        assert_eq!(slices[0]["metadata"]["name"], name, "the slice is changed, not replaced");
        cluster.remove(&Key::new(&SERVICES, "x", "db"));
        assert!(settle(&mut cluster).is_empty());
    }

    #[test]
    fn what_is_selected_locked_or_marked_is_not_mirrored() {
        for (selector, change) in [
            (json!({"app": "db"}), json!({})),
            (Value::Null, json!({"labels": {SKIP: "true"}})),
            (Value::Null, json!({"annotations": {LEADER: "{}"}})),
        ] {
            let mut cluster = Cluster::default();
            cluster.put(service(selector.clone()));
            let mut source = endpoints(&["192.0.2.1"]);
            for (name, value) in change.as_object().unwrap() {
                source["metadata"][name] = value.clone();
            }
            cluster.put(source);
            let mirrored =
                settle(&mut cluster).into_iter().filter(|slice| slice["metadata"]["labels"][MANAGED_BY] == CONTROLLER);
            assert_eq!(mirrored.count(), 0, "{selector} {change}");
        }
    }

    #[test]
    fn more_than_a_slice_holds_is_told_of() {
        let mut cluster = Cluster::default();
        cluster.put(service(Value::Null));
        let ips: Vec<String> = (0..1003).map(|n| format!("10.9.{}.{}", n / 250, n % 250 + 1)).collect();
        let source = cluster.put(endpoints(&ips.iter().map(String::as_str).collect::<Vec<_>>())).key.clone();
        let plan = cluster.step(&EndpointSliceMirroring, &source).to_string();
        assert!(plan.contains("TooManyAddressesToMirror") && plan.contains("4 addresses were skipped"), "{plan}");
        assert_eq!(settle(&mut cluster)[0].list("endpoints").len(), MOST);
    }
}
