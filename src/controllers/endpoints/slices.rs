//! `discovery.k8s.io/v1 EndpointSlice`: at most a hundred endpoints each, and as few of them rewritten as a change allows.

use super::kept::{self, MANAGED_BY, SERVICE_NAME, Slice};
use super::member::{Member, family};
use super::{is_headless, publishes_not_ready, selected, selector, services_of, zone};
use crate::objects::{self, ENDPOINT_SLICES, SERVICES};
use crate::{Action, Controller, Now, Plan, WorkKey};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use raftsman_state::{Change, Object, View};
use std::collections::BTreeMap;

const CONTROLLER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Endpoints in one slice at most.
const MOST: usize = 100;

/// The controller of EndpointSlices.
pub struct EndpointSlices;

impl Controller for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        if key.resource == *SERVICES {
            return vec![key.clone()];
        }
        if key.resource == *ENDPOINT_SLICES {
            let slices = change.previous.iter().chain([&change.object]);
            return slices.filter_map(|slice| service_of(slice)).collect();
        }
        services_of(change, view)
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        let mut keys = objects::keys(view, &SERVICES);
        keys.extend(view.list(&ENDPOINT_SLICES, None).filter_map(|slice| service_of(slice)));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let held = kept::held(view, key, CONTROLLER);
        let found = objects::get::<Service>(view, key);
        let Some((object, service)) = found.filter(|(object, _)| !object.meta.deleting) else {
            if view.get(key).is_none_or(|object| object.meta.deleting) {
                held.iter().for_each(|(slice, _)| plan.push(kept::delete(slice)));
            }
            return plan;
        };
        let Some(selector) = selector(&service) else {
            return plan;
        };
        let mut groups = groups(view, &service, selected(view, key.namespace(), &selector));
        let labels = labels(&service);
        let mut left = held;
        let mut salt = 0;
        for ((family, ports), endpoints) in &mut groups {
            let same = |slice: &Slice| {
                slice.1.address_type == *family && slice.1.ports.as_deref().unwrap_or_default() == ports.as_slice()
            };
            let (group, others) = std::mem::take(&mut left).into_iter().partition(same);
            left = others;
            reconcile(&mut plan, group, std::mem::take(endpoints), &labels, |rest| {
                salt += 1;
                let mut slice = EndpointSlice { address_type: family.clone(), ..EndpointSlice::default() };
                slice.metadata.labels = Some(labels.clone());
                (slice.endpoints, slice.ports) = (Some(rest), Some(ports.clone()));
                kept::create(view, now, ("Service", &object), slice, salt)
            });
        }
        left.iter().for_each(|(slice, _)| plan.push(kept::delete(slice)));
        plan
    }
}

fn service_of(slice: &Object) -> Option<WorkKey> {
    kept::source_of(slice, CONTROLLER, &SERVICES)
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY.to_owned(), CONTROLLER.to_owned());
    if is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels
}

/// Endpoints by address family and by the ports under which they serve; a family without pods has one group without any.
type Groups = Vec<((String, Vec<EndpointPort>), Vec<Endpoint>)>;

fn groups(view: &View, service: &Service, members: impl Iterator<Item = Member>) -> Groups {
    let Some(spec) = &service.spec else {
        return Vec::new();
    };
    let families = match &spec.ip_families {
        Some(families) if !families.is_empty() => families.clone(),
        _ => vec![family(spec.cluster_ip.as_deref().unwrap_or("")).to_owned()],
    };
    let mut groups: Groups = Vec::new();
    for member in members {
        let ports: Vec<EndpointPort> = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|port| {
                Some(EndpointPort {
                    name: Some(port.name.clone().unwrap_or_default()),
                    port: Some(member.port(port)?),
                    protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
                    app_protocol: port.app_protocol.clone(),
                })
            })
            .collect();
        for family_ in &families {
            let addresses: Vec<String> =
                member.ips.iter().filter(|ip| family(ip) == family_).take(1).cloned().collect();
            if addresses.is_empty() {
                continue;
            }
            let endpoint = endpoint(view, service, &member, addresses);
            let group = (family_.clone(), ports.clone());
            match groups.iter_mut().find(|(held, _)| *held == group) {
                Some((_, endpoints)) => endpoints.push(endpoint),
                None => groups.push((group, vec![endpoint])),
            }
        }
    }
    for family_ in families {
        if !groups.iter().any(|((held, _), _)| *held == family_) {
            groups.push(((family_, Vec::new()), Vec::new()));
        }
    }
    groups
}

fn endpoint(view: &View, service: &Service, member: &Member, addresses: Vec<String>) -> Endpoint {
    Endpoint {
        addresses,
        conditions: Some(EndpointConditions {
            ready: Some(publishes_not_ready(service) || member.serving && !member.terminating),
            serving: Some(member.serving),
            terminating: Some(member.terminating),
        }),
        hostname: member.hostname(service),
        node_name: member.node.clone(),
        zone: member.node.as_deref().and_then(|node| zone(view, node)),
        target_ref: Some(member.reference.clone()),
        ..Endpoint::default()
    }
}

/// What makes an endpoint the same one: its pod and its address.
fn identity(endpoint: &Endpoint) -> (Option<&str>, Option<&str>) {
    let uid = endpoint.target_ref.as_ref().and_then(|reference| reference.uid.as_deref());
    (uid, endpoint.addresses.first().map(String::as_str))
}

/// A slice with the endpoints that it is to hold.
struct Held {
    slice: Slice,
    endpoints: Vec<Endpoint>,
    changed: bool,
}

/// Brings the slices of one group up to date: endpoints stay where they are, new ones fill slices that change anyway,
/// then those with room, then new slices.
fn reconcile(
    plan: &mut Plan,
    held: Vec<Slice>,
    mut wanted: Vec<Endpoint>,
    labels: &BTreeMap<String, String>,
    mut create: impl FnMut(Vec<Endpoint>) -> Option<Action>,
) {
    let mut slices: Vec<Held> = Vec::new();
    for slice in held {
        let old = slice.1.endpoints.as_deref().unwrap_or_default();
        let mut kept = Vec::new();
        for endpoint in old {
            if let Some(at) = wanted.iter().position(|wanted| identity(wanted) == identity(endpoint)) {
                kept.push(wanted.remove(at));
            }
        }
        let changed = kept != old;
        slices.push(Held { slice, endpoints: kept, changed });
    }
    for changing in [true, false] {
        for held in slices.iter_mut().filter(|held| held.changed == changing) {
            let room = MOST.saturating_sub(held.endpoints.len()).min(wanted.len());
            held.endpoints.extend(wanted.drain(..room));
            held.changed |= room > 0;
        }
    }
    // An empty slice says that there is nobody; one is enough.
    let mut empty_kept = slices.iter().any(|held| !held.endpoints.is_empty()) || !wanted.is_empty();
    let none = slices.is_empty() && wanted.is_empty();
    for Held { slice, endpoints, .. } in slices {
        if endpoints.is_empty() && std::mem::replace(&mut empty_kept, true) {
            plan.push(kept::delete(&slice.0));
            continue;
        }
        let mut wanted = (*slice.1).clone();
        (wanted.metadata.labels, wanted.endpoints) = (Some(labels.clone()), Some(endpoints));
        kept::update(&slice, &wanted).into_iter().for_each(|change| plan.push(change));
    }
    if none {
        create(Vec::new()).into_iter().for_each(|action| plan.push(action));
    }
    while !wanted.is_empty() {
        let rest = wanted.split_off(wanted.len().min(MOST));
        let full = std::mem::replace(&mut wanted, rest);
        create(full).into_iter().for_each(|action| plan.push(action));
    }
}
