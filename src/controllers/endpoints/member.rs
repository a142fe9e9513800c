//! One pod as a member of a Service.

use crate::pods;
use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What endpoints need of a pod that has an address and has not ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub ips: Vec<String>,
    pub node: Option<String>,
    pub reference: ObjectReference,
    /// Ready by its condition, also while it ends.
    pub serving: bool,
    pub terminating: bool,
    /// `spec.hostname` with the `spec.subdomain` under which it holds.
    hostname: Option<(String, String)>,
    /// (name, protocol, number) of container ports.
    ports: Vec<(String, String, i32)>,
}

impl Member {
    /// `None` while it has no address, or when it has ended.
    pub fn of(pod: &Pod) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        let mut ips: Vec<String> = status.pod_ips.iter().flatten().map(|ip| ip.ip.clone()).collect();
        if ips.is_empty() {
            ips.extend(status.pod_ip.clone());
        }
        ips.retain(|ip| !ip.is_empty());
        if ips.is_empty() || pods::is_terminal(pod) {
            return None;
        }
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let ports = spec.containers.iter().chain(sidecars).flat_map(named_ports).collect();
        let hostname = spec.hostname.clone().filter(|name| !name.is_empty());
        Some(Self {
            ips,
            node: pods::node_name(pod).map(str::to_owned),
            reference: ObjectReference {
                kind: Some("Pod".to_owned()),
                namespace: pod.metadata.namespace.clone(),
                name: pod.metadata.name.clone(),
                uid: pod.metadata.uid.clone(),
                ..ObjectReference::default()
            },
            serving: pods::is_ready(pod),
            terminating: pods::is_deleting(pod),
            hostname: hostname.zip(spec.subdomain.clone()),
            ports,
        })
    }

    /// Its host name under a Service, if it has one of its own there.
    pub fn hostname(&self, service: &Service) -> Option<String> {
        let (hostname, subdomain) = self.hostname.as_ref()?;
        (service.metadata.name.as_ref() == Some(subdomain)).then(|| hostname.clone())
    }

    /// The number of a Service's port in this pod; `None` if the pod has no port of the name.
    pub fn port(&self, port: &ServicePort) -> Option<i32> {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        match port.target_port.as_ref() {
            None | Some(IntOrString::Int(0)) => Some(port.port),
            Some(IntOrString::Int(number)) => Some(*number),
            Some(IntOrString::String(name)) if name.is_empty() => Some(port.port),
            Some(IntOrString::String(name)) => {
                let found = self.ports.iter().find(|(n, p, _)| n == name && p == protocol);
                found.map(|(_, _, number)| *number)
            }
        }
    }
}

fn named_ports(container: &Container) -> impl Iterator<Item = (String, String, i32)> + '_ {
    container.ports.iter().flatten().filter_map(|port| {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        Some((port.name.clone()?, protocol, port.container_port))
    })
}

/// The family of an address, as `EndpointSlice.addressType` names it.
pub(super) fn family(ip: &str) -> &'static str {
    if ip.contains(':') { "IPv6" } else { "IPv4" }
}
