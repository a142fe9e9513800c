//! The downward API: a pod's own fields and resources as text.

use super::{SpecError, resources};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use raftsman_api::quantity::Quantity;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a pod may ask of the machine and of its own start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The node's address.
    pub host_ip: IpAddr,
    /// The pod's address.
    pub pod_ip: Option<IpAddr>,
    /// The machine's processors.
    pub cpus: u32,
    /// The machine's memory in bytes.
    pub memory: u64,
    /// The machine's disk for pods in bytes.
    pub disk: u64,
}

/// The value of a `fieldRef`.
///
/// # Errors
/// An unsupported field path.
pub fn field(pod: &Pod, path: &str, facts: &Facts) -> Result<String, SpecError> {
    let metadata = &pod.metadata;
    let spec = pod.spec.as_ref();
    if let Some((map, key)) = subscript(path) {
        let map = match map {
            "metadata.labels" => metadata.labels.as_ref(),
            "metadata.annotations" => metadata.annotations.as_ref(),
            _ => return Err(unsupported(path)),
        };
        return Ok(map.and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    let ip = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    Ok(match path {
        "metadata.name" => metadata.name.clone().unwrap_or_default(),
        "metadata.namespace" => metadata.namespace.clone().unwrap_or_default(),
        "metadata.uid" => metadata.uid.clone().unwrap_or_default(),
        "metadata.labels" => lines(metadata.labels.as_ref()),
        "metadata.annotations" => lines(metadata.annotations.as_ref()),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => facts.host_ip.to_string(),
        "status.podIP" | "status.podIPs" => ip(facts.pod_ip),
        _ => return Err(unsupported(path)),
    })
}

fn unsupported(path: &str) -> SpecError {
    SpecError(format!("unsupported fieldPath: {path}"))
}

fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.split_once('[')?;
    let key = key.strip_suffix(']')?;
    Some((map, key.trim_matches(|c| c == '\'' || c == '"')))
}

/// `key="value"`, one a line, in order (as files of the downward API have it).
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines = map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The value of a `resourceFieldRef`, rounded up to its divisor.
///
/// # Errors
/// An unknown container or resource, a malformed divisor.
pub fn resource_field(
    pod: &Pod,
    own: Option<&Container>,
    selector: &ResourceFieldSelector,
    facts: &Facts,
) -> Result<String, SpecError> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let container = match &selector.container_name {
        Some(name) if !name.is_empty() => init.iter().chain(main).find(|container| container.name == *name),
        _ => own,
    };
    let container = container.ok_or_else(|| {
        let name = selector.container_name.as_deref().unwrap_or_default();
        SpecError(format!("resourceFieldRef: container {name:?} not found"))
    })?;
    let divisor: Quantity = match &selector.divisor {
        Some(divisor) if divisor.0 != "0" && !divisor.0.is_empty() => divisor
            .0
            .parse()
            .map_err(|_| SpecError(format!("resourceFieldRef: divisor {:?} is no quantity", divisor.0)))?,
        _ => Quantity::units(1),
    };
    let wants = resources::wants(container);
    let disk = |which: &str| -> Option<i64> {
        let resources = container.resources.as_ref()?;
        let list = if which == "limits" { resources.limits.as_ref() } else { resources.requests.as_ref() };
        list?.get("ephemeral-storage")?.0.parse().ok().map(Quantity::value)
    };
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let milli = match selector.resource.as_str() {
        "limits.cpu" => {
            return Ok(cpu(wants.cpu_limit.unwrap_or(i64::from(facts.cpus) * 1000), divisor));
        }
        "requests.cpu" => return Ok(cpu(wants.cpu_request.unwrap_or(0), divisor)),
        "limits.memory" => wants.memory_limit.unwrap_or(whole(facts.memory)),
        "requests.memory" => wants.memory_request.unwrap_or(0),
        "limits.ephemeral-storage" => disk("limits").unwrap_or(whole(facts.disk)),
        "requests.ephemeral-storage" => disk("requests").unwrap_or(0),
        other => {
            return Err(SpecError(format!("resourceFieldRef: resource {other:?} is not supported")));
        }
    };
    Ok(ceil(i128::from(milli), i128::from(divisor.value().max(1))))
}

fn cpu(milli: i64, divisor: Quantity) -> String {
    ceil(i128::from(milli), i128::from(divisor.milli_value().max(1)))
}

fn ceil(amount: i128, divisor: i128) -> String {
    ((amount + divisor - 1) / divisor).to_string()
}
