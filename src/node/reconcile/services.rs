//! Services and endpoint slices as the network room wants them. Pure.

use crate::world::{Name, World};
use k8s_openapi::api::core::v1::{Service, ServicePort as DeclaredPort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use raftsman_network::border::{Affinity, Endpoint, Protocol, ServiceEntry, ServicePort};
use std::net::IpAddr;
use std::sync::Arc;

const AFFINITY_SECONDS: u32 = 10_800;

fn protocol(name: Option<&str>) -> Protocol {
    match name {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = texts.into_iter().filter_map(|text| text.parse().ok()).collect();
    found.dedup();
    found
}

fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// The endpoints of one service port: those slice ports that have its name.
fn endpoints(declared: &DeclaredPort, slices: &[Arc<EndpointSlice>], node: &str) -> Vec<Endpoint> {
    let name = declared.name.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    for slice in slices {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let matching = ports.iter().filter(|port| {
            port.name.as_deref().unwrap_or_default() == name
                && protocol(port.protocol.as_deref()) == protocol(declared.protocol.as_deref())
        });
        for number in matching.filter_map(|found| port(found.port?)) {
            found.extend(at_port(slice, number, node));
        }
    }
    sorted(found)
}

/// All endpoints, at no port.
fn unported(slices: &[Arc<EndpointSlice>], node: &str) -> Vec<Endpoint> {
    sorted(slices.iter().flat_map(|slice| at_port(slice, 0, node)).collect())
}

fn sorted(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.sort();
    endpoints.dedup_by(|a, b| (a.ip, a.port) == (b.ip, b.port));
    endpoints
}

fn at_port(slice: &EndpointSlice, number: u16, node: &str) -> Vec<Endpoint> {
    let mut found = Vec::new();
    let named = slice.address_type == "FQDN";
    for endpoint in slice.endpoints.iter().flatten().filter(|_| !named) {
        let conditions = endpoint.conditions.as_ref();
        // Absent means ready (discovery/v1 EndpointConditions).
        let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
        found.extend(addresses(&endpoint.addresses).into_iter().map(|ip| Endpoint {
            ip,
            port: number,
            local: endpoint.node_name.as_deref() == Some(node),
            hostname: endpoint.hostname.clone().filter(|hostname| !hostname.is_empty()),
            ready,
            // Absent means as ready.
            serving: conditions.and_then(|conditions| conditions.serving).unwrap_or(ready),
            terminating: conditions.and_then(|conditions| conditions.terminating).unwrap_or(false),
        }));
    }
    found
}

fn affinity(service: &Service) -> Affinity {
    let spec = service.spec.as_ref();
    if spec.and_then(|spec| spec.session_affinity.as_deref()) != Some("ClientIP") {
        return Affinity::None;
    }
    let config =
        spec.and_then(|spec| spec.session_affinity_config.as_ref()).and_then(|config| config.client_ip.as_ref());
    let seconds = config.and_then(|config| config.timeout_seconds).and_then(|seconds| u32::try_from(seconds).ok());
    Affinity::ClientIp(seconds.unwrap_or(AFFINITY_SECONDS))
}

/// One service as the node called `node` serves it; `None` if there is no such service.
pub fn entry(world: &World, name: &Name, node: &str) -> Option<ServiceEntry> {
    let service = world.service(name)?;
    let spec = service.spec.as_ref()?;
    let slices: Vec<Arc<EndpointSlice>> = world.slices(name).cloned().collect();
    let mut ips: Vec<&String> = spec.cluster_ips.iter().flatten().collect();
    ips.extend(spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none()));
    let balanced = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let balanced =
        balanced.into_iter().flat_map(|status| status.ingress.iter().flatten()).filter_map(|at| at.ip.as_ref());
    let local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    let ports = spec.ports.as_deref().unwrap_or_default().iter().filter_map(|declared| {
        Some(ServicePort {
            name: declared.name.clone().unwrap_or_default(),
            protocol: protocol(declared.protocol.as_deref()),
            port: port(declared.port)?,
            node_port: declared.node_port.and_then(port),
            endpoints: endpoints(declared, &slices, node),
        })
    });
    let mut ports: Vec<ServicePort> = ports.collect();
    if ports.is_empty() && spec.cluster_ip.as_deref() == Some("None") {
        // A headless service needs no ports; its endpoints have names all the same.
        let endpoints = unported(&slices, node);
        ports.push(ServicePort { name: String::new(), protocol: Protocol::Tcp, port: 0, node_port: None, endpoints });
    }
    Some(ServiceEntry {
        namespace: name.0.clone(),
        name: name.1.clone(),
        cluster_ips: addresses(ips),
        external_ips: addresses(spec.external_ips.iter().flatten().chain(balanced)),
        external_name: spec.external_name.clone().filter(|_| spec.type_.as_deref() == Some("ExternalName")),
        affinity: affinity(service),
        internal_local: local(&spec.internal_traffic_policy),
        external_local: local(&spec.external_traffic_policy),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        ports,
    })
}
