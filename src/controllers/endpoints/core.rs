//! `v1 Endpoints`: one object a Service, of the Service's own name.

use super::capacity::{OVER_CAPACITY, truncate};
use super::member::{Member, family};
use super::{is_headless, publishes_not_ready, selected, selector, services_of};
use crate::objects::{self, ENDPOINTS, SERVICES};
use crate::{Action, Controller, Key, Now, Plan, WorkKey, patch};
use k8s_openapi::api::core::v1::{self, EndpointAddress, EndpointPort, EndpointSubset, Service};
use raftsman_state::{Change, View};
use serde_json::json;
use std::collections::BTreeMap;

/// Label on what this controller keeps.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpoint-controller";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// The controller of Endpoints.
pub struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        CONTROLLER
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if key.resource == *SERVICES {
            return vec![key.clone()];
        }
        if key.resource == *ENDPOINTS {
            return vec![Key::new(&SERVICES, key.namespace(), key.name())];
        }
        services_of(change, view)
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let mut keys = objects::keys(view, &SERVICES);
        let kept = view.list(&ENDPOINTS, None).map(|kept| Key::new(&SERVICES, kept.key.namespace(), kept.key.name()));
        keys.extend(kept);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn plan(&self, view: &View, key: &WorkKey, _now: &Now) -> Plan {
        let mut plan = Plan::none();
        let kept = Key::new(&ENDPOINTS, key.namespace(), key.name());
        let Some((_, service)) = objects::get::<Service>(view, key) else {
            // Without the Service, what we kept for it goes; what others wrote stays.
            if view.get(key).is_none()
                && let Some(object) = view.get(&kept)
                && object.meta.label(MANAGED_BY) == Some(CONTROLLER)
            {
                let uid = object.meta.uid.clone();
                plan.push(Action::Delete { key: kept, uid, revision: None, grace: None, propagation: None });
            }
            return plan;
        };
        let Some(selector) = selector(&service).filter(|_| service.metadata.deletion_timestamp.is_none()) else {
            return plan;
        };
        let mut labels = service.metadata.labels.clone().unwrap_or_default();
        labels.remove(HEADLESS);
        if is_headless(&service) {
            labels.insert(HEADLESS.to_owned(), String::new());
        }
        labels.insert(MANAGED_BY.to_owned(), CONTROLLER.to_owned());
        let mut subsets = subsets(&service, selected(view, key.namespace(), &selector));
        let truncated = truncate(&mut subsets).then_some(OVER_CAPACITY.1);
        let mut wanted = v1::Endpoints::default();
        wanted.metadata.labels = Some(labels);
        wanted.subsets = (!subsets.is_empty()).then_some(subsets);
        match objects::get::<v1::Endpoints>(view, &kept) {
            None if view.get(&kept).is_some() => {}
            None => {
                wanted.metadata.name = Some(key.name().to_owned());
                wanted.metadata.namespace = Some(key.namespace().to_owned());
                let note = |value: &str| BTreeMap::from([(OVER_CAPACITY.0.to_owned(), value.to_owned())]);
                wanted.metadata.annotations = truncated.map(note);
                if let Ok(object) = serde_json::to_value(&wanted) {
                    plan.push(Action::Create { key: kept, object });
                }
            }
            Some((object, old)) => {
                let labels = patch::between(&old.metadata.labels, &wanted.metadata.labels);
                let subsets = patch::between(&old.subsets, &wanted.subsets);
                let mut body = json!({});
                if let Some(labels) = labels {
                    body["metadata"]["labels"] = labels;
                }
                let note = old.metadata.annotations.as_ref().and_then(|notes| notes.get(OVER_CAPACITY.0));
                if note.map(String::as_str) != truncated {
                    body["metadata"]["annotations"] = json!({ OVER_CAPACITY.0: truncated });
                }
                if let Some(subsets) = subsets {
                    body["subsets"] = subsets;
                }
                if body != json!({}) {
                    let (uid, revision) = (object.meta.uid.clone(), Some(object.revision));
                    plan.push(Action::Patch { key: kept, uid, revision, patch: body, part: None });
                }
            }
        }
        plan
    }
}

/// Addresses grouped by the ports under which they serve.
fn subsets(service: &Service, members: impl Iterator<Item = Member>) -> Vec<EndpointSubset> {
    let Some(spec) = &service.spec else {
        return Vec::new();
    };
    let ours = match spec.ip_families.as_ref().and_then(|families| families.first()) {
        Some(first) => first.as_str(),
        None => family(spec.cluster_ip.as_deref().unwrap_or("")),
    };
    // Ports as a sort key: (name, number, protocol, application protocol).
    type Ports = Vec<(Option<String>, i32, Option<String>, Option<String>)>;
    let mut groups: BTreeMap<Ports, (Vec<EndpointAddress>, Vec<EndpointAddress>)> = BTreeMap::new();
    for member in members {
        if member.terminating && !publishes_not_ready(service) {
            continue;
        }
        let Some(ip) = member.ips.iter().find(|ip| family(ip) == ours) else {
            continue;
        };
        let address = EndpointAddress {
            ip: ip.clone(),
            hostname: member.hostname(service),
            node_name: member.node.clone(),
            target_ref: Some(member.reference.clone()),
        };
        let ports: Ports = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|port| {
                let number = member.port(port)?;
                Some((port.name.clone(), number, port.protocol.clone(), port.app_protocol.clone()))
            })
            .collect();
        if ports.is_empty() && !(is_headless(service) && spec.ports.as_ref().is_none_or(Vec::is_empty)) {
            continue;
        }
        let (ready, not_ready) = groups.entry(ports).or_default();
        if member.serving || publishes_not_ready(service) { ready.push(address) } else { not_ready.push(address) }
    }
    let some = |mut addresses: Vec<EndpointAddress>| {
        addresses.sort_by(|a, b| a.ip.cmp(&b.ip));
        (!addresses.is_empty()).then_some(addresses)
    };
    let subset = |(ports, (ready, not_ready)): (Ports, (Vec<_>, Vec<_>))| EndpointSubset {
        addresses: some(ready),
        not_ready_addresses: some(not_ready),
        ports: (!ports.is_empty()).then(|| {
            ports
                .into_iter()
                .map(|(name, port, protocol, app_protocol)| EndpointPort { name, port, protocol, app_protocol })
                .collect()
        }),
    };
    groups.into_iter().map(subset).collect()
}
