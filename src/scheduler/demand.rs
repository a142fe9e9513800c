//! What a pod asks of a node.

use crate::VolumeDemand;
use crate::amounts::{Amounts, CPU, MEMORY, PODS};
use k8s_openapi::api::core::v1::{Affinity, Container, Pod, PodSpec, Toleration};
use std::collections::BTreeMap;

/// Requests that scores assume of a container without any: cpu in thousandths, memory in bytes.
const ASSUMED: [(&str, i64); 2] = [(CPU, 100), (MEMORY, 200 * 1024 * 1024)];

/// A port of the host: address (`0.0.0.0` for all), protocol, number.
pub type HostPort = (String, String, i32);

/// A pod as filters and scores see it.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// `namespace/name`.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// `spec.nodeName`.
    pub node_name: Option<String>,
    /// Requests of the whole pod, one `pods` included.
    pub requests: Amounts,
    /// The same with an assumption for containers without requests, for scores.
    pub assumed: Amounts,
    /// Ports of the host.
    pub ports: Vec<HostPort>,
    /// `spec.nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// `spec.affinity`.
    pub affinity: Option<Affinity>,
    /// `spec.tolerations`.
    pub tolerations: Vec<Toleration>,
    /// `spec.priority`.
    pub priority: i32,
    /// Uid of the controller that made it.
    pub owner: Option<String>,
    /// Names of its images.
    pub images: Vec<String>,
    /// What its claims ask of its place; filled in when it is to be placed.
    pub volumes: VolumeDemand,
    /// A rule that this scheduler cannot keep; the pod waits rather than break it.
    pub unsupported: Option<&'static str>,
}

impl Demand {
    /// What a pod asks for.
    pub fn of(pod: &Pod) -> Self {
        let metadata = &pod.metadata;
        let named =
            format!("{}/{}", metadata.namespace.as_deref().unwrap_or(""), metadata.name.as_deref().unwrap_or(""));
        let owners = metadata.owner_references.iter().flatten();
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone());
        let mut demand = Self { name: named, uid: metadata.uid.clone().unwrap_or_default(), owner, ..Self::default() };
        let Some(spec) = &pod.spec else { return demand };
        demand.node_name = spec.node_name.clone().filter(|name| !name.is_empty());
        demand.requests = requests(spec, &[]);
        demand.assumed = requests(spec, &ASSUMED);
        demand.ports =
            spec.containers.iter().chain(sidecars(spec)).flat_map(|container| ports(spec, container)).collect();
        demand.node_selector = spec.node_selector.clone().unwrap_or_default();
        demand.affinity = spec.affinity.clone();
        demand.tolerations = spec.tolerations.clone().unwrap_or_default();
        demand.priority = spec.priority.unwrap_or(0);
        demand.images = spec.containers.iter().filter_map(|container| container.image.clone()).collect();
        demand.unsupported = unsupported(spec);
        demand
    }
}

fn sidecars(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let all = spec.init_containers.iter().flatten();
    all.filter(|container| container.restart_policy.as_deref() == Some("Always"))
}

fn of(container: &Container, assumed: &[(&str, i64)]) -> Amounts {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let mut amounts = Amounts::of(requests);
    for (name, amount) in assumed {
        if amounts.get(name) == 0 {
            amounts.set(name, *amount);
        }
    }
    amounts
}

/// What runs together, or the largest step of initialization, whichever is more; then the overhead (KEP-753).
fn requests(spec: &PodSpec, assumed: &[(&str, i64)]) -> Amounts {
    let mut total = Amounts::default();
    for container in &spec.containers {
        total.add(&of(container, assumed));
    }
    let mut running = Amounts::default();
    let mut most = Amounts::default();
    for container in spec.init_containers.iter().flatten() {
        let amounts = of(container, assumed);
        let mut step = running.clone();
        step.add(&amounts);
        if container.restart_policy.as_deref() == Some("Always") {
            total.add(&amounts);
            running.add(&amounts);
        }
        most.raise(&step);
    }
    total.raise(&most);
    if let Some(resources) = &spec.resources {
        // Requests of the pod as a whole stand above those of its containers (KEP-2837).
        for (name, amount) in Amounts::of(resources.requests.as_ref()).iter() {
            total.set(name, amount);
        }
    }
    total.add(&Amounts::of(spec.overhead.as_ref()));
    total.set(PODS, 1);
    total
}

fn ports<'a>(spec: &PodSpec, container: &'a Container) -> impl Iterator<Item = HostPort> + 'a {
    let host = spec.host_network == Some(true);
    container.ports.iter().flatten().filter_map(move |port| {
        let number = port.host_port.filter(|number| *number != 0).or(host.then_some(port.container_port))?;
        let ip = port.host_ip.clone().filter(|ip| !ip.is_empty()).unwrap_or_else(|| "0.0.0.0".to_owned());
        Some((ip, port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), number))
    })
}

fn unsupported(spec: &PodSpec) -> Option<&'static str> {
    let affinity = spec.affinity.as_ref();
    let required = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
    let required = required.and_then(|pods| pods.required_during_scheduling_ignored_during_execution.as_ref());
    if required.is_some_and(|terms| !terms.is_empty()) {
        return Some("spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    }
    let required = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let required = required.and_then(|pods| pods.required_during_scheduling_ignored_during_execution.as_ref());
    if required.is_some_and(|terms| !terms.is_empty()) {
        return Some("spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    }
    let mut spread = spec.topology_spread_constraints.iter().flatten();
    spread
        .any(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
        .then_some("spec.topologySpreadConstraints with whenUnsatisfiable: DoNotSchedule")
}
