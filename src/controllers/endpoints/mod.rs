//! Who serves a Service: `v1 Endpoints` and `discovery.k8s.io/v1 EndpointSlice`, from the pods that it selects
//! or from Endpoints that somebody else writes.

mod capacity;
mod core;
mod kept;
mod member;
mod mirror;
mod slices;
#[cfg(test)]
mod tests;

pub use core::Endpoints;
pub use mirror::EndpointSliceMirroring;
pub use slices::EndpointSlices;

use crate::objects::{self, NODES, PODS, SERVICES};
use crate::selector::Selector;
use crate::{Key, WorkKey};
use k8s_openapi::api::core::v1::{Pod, Service};
use raftsman_state::{Change, Object, View};

/// Services that select a pod, now or before the change.
fn services_of(change: &Change, view: &View) -> Vec<WorkKey> {
    if change.key().resource != *PODS || !matters(change) {
        return Vec::new();
    }
    let services = view.list(&SERVICES, Some(change.key().namespace()));
    let mut keys = Vec::new();
    for service in services {
        let Some(selector) = objects::decode::<Service>(service).and_then(|service| selector(&service)) else {
            continue;
        };
        let mut pods = change.previous.iter().chain([&change.object]);
        if pods.any(|pod| selector.matches(&pod.meta)) {
            keys.push(service.key.clone());
        }
    }
    keys
}

/// Whether a change of a pod can change endpoints: most writes of status do not.
fn matters(change: &Change) -> bool {
    let Some(previous) = change.previous.as_ref().filter(|_| !change.deleted) else {
        return true;
    };
    let (Some(old), Some(new)) = (objects::decode::<Pod>(previous), objects::decode::<Pod>(&change.object)) else {
        return true;
    };
    previous.meta.labels != change.object.meta.labels
        || previous.meta.deleting != change.object.meta.deleting
        || member::Member::of(&old) != member::Member::of(&new)
        || old.spec.as_ref().map(|spec| &spec.containers) != new.spec.as_ref().map(|spec| &spec.containers)
}

/// What a Service selects; `None` if others look after its endpoints.
fn selector(service: &Service) -> Option<Selector> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    spec.selector.as_ref().filter(|selector| !selector.is_empty()).map(Selector::of_map)
}

/// A Service without an address of its own.
fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None"))
}

/// It wants pods that are not ready too.
fn publishes_not_ready(service: &Service) -> bool {
    service.spec.as_ref().is_some_and(|spec| spec.publish_not_ready_addresses == Some(true))
}

/// The pods that a Service selects, in order.
fn selected<'a>(view: &'a View, namespace: &str, selector: &'a Selector) -> impl Iterator<Item = member::Member> + 'a {
    let pods = view.list(&PODS, Some(namespace)).filter(|pod| selector.matches(&pod.meta));
    pods.filter_map(|pod| member::Member::of(&*objects::decode::<Pod>(pod)?))
}

/// A node's zone.
fn zone(view: &View, node: &str) -> Option<String> {
    let node: &Object = view.get(&Key::new(&NODES, "", node))?;
    node.meta.label("topology.kubernetes.io/zone").map(str::to_owned)
}
