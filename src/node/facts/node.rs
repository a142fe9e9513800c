//! The node's own object: what it reports when it starts and when something changes. Pure.

use super::Machine;
use crate::time::seconds;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use raftsman_api::config::{CERTIFICATE_END_ANNOTATION, HostConfig};
use raftsman_api::fencing::{self, FencingRule};
use raftsman_runtime::border::ImageInfo;
use std::collections::BTreeMap;

/// The Kubernetes version whose node this is, and ours.
const VERSION: &str = concat!("v1.33.0+raftsman.", env!("CARGO_PKG_VERSION"));
const MOST_PODS: u32 = 110;
const MOST_IMAGES: usize = 50;
const MOST_NAMES: usize = 5;

fn resources(machine: &Machine) -> BTreeMap<String, Quantity> {
    let quantity = |text: String| Quantity(text);
    BTreeMap::from([
        ("cpu".to_owned(), quantity(machine.cpus.to_string())),
        ("memory".to_owned(), quantity(format!("{}Ki", machine.memory / 1024))),
        ("ephemeral-storage".to_owned(), quantity(format!("{}Ki", machine.disk / 1024))),
        ("pods".to_owned(), quantity(MOST_PODS.to_string())),
    ])
}

fn condition(kind: &str, holds: bool, reason: &str, message: &str, since: Timestamp) -> NodeCondition {
    NodeCondition {
        last_heartbeat_time: Some(seconds(since)),
        last_transition_time: Some(seconds(since)),
        message: Some(message.to_owned()),
        reason: Some(reason.to_owned()),
        status: if holds { "True" } else { "False" }.to_owned(),
        type_: kind.to_owned(),
    }
}

fn ready(network: Result<(), Option<&str>>, since: Timestamp) -> NodeCondition {
    let Err(problem) = network else {
        return condition("Ready", true, "KubeletReady", "the agent is posting ready status", since);
    };
    let problem = problem.unwrap_or("the node has no podCIDR yet");
    let message = format!("container runtime network not ready: {problem}");
    condition("Ready", false, "KubeletNotReady", &message, since)
}

/// The node; `network`: its network is configured, or what went wrong with it if anything did; `since`: when that last changed;
/// `certificate_end`: when the host's certificate ends.
pub fn node_object(
    config: &HostConfig,
    machine: &Machine,
    images: &[ImageInfo],
    network: Result<(), Option<&str>>,
    since: Timestamp,
    certificate_end: Option<Timestamp>,
) -> Node {
    let rule = FencingRule::of(config);
    let mut annotations = BTreeMap::from([
        (fencing::ANNOTATION.to_owned(), rule.word().to_owned()),
        (fencing::DEADLINE_ANNOTATION.to_owned(), rule.deadline.as_secs().to_string()),
    ]);
    annotations.extend(certificate_end.map(|end| (CERTIFICATE_END_ANNOTATION.to_owned(), end.to_string())));
    let mut labels = config.node_labels.clone();
    for (key, value) in [
        ("kubernetes.io/hostname", config.name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", machine.arch.as_str()),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", machine.arch.as_str()),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let mut images: Vec<&ImageInfo> = images.iter().collect();
    images.sort_by_key(|image| (std::cmp::Reverse(image.size), image.id.clone()));
    let images = images.into_iter().take(MOST_IMAGES).map(|image| ContainerImage {
        names: Some(image.names.iter().take(MOST_NAMES).cloned().collect()),
        size_bytes: Some(i64::try_from(image.size).unwrap_or(i64::MAX)),
    });
    let address = |kind: &str, address: String| NodeAddress { address, type_: kind.to_owned() };
    let status = NodeStatus {
        addresses: Some(vec![
            address("InternalIP", config.address.to_string()),
            address("Hostname", config.name.clone()),
        ]),
        allocatable: Some(resources(machine)),
        capacity: Some(resources(machine)),
        conditions: Some(vec![
            condition(
                "MemoryPressure",
                false,
                "KubeletHasSufficientMemory",
                "the node has sufficient memory available",
                since,
            ),
            condition("DiskPressure", false, "KubeletHasNoDiskPressure", "the node has no disk pressure", since),
            condition("PIDPressure", false, "KubeletHasSufficientPID", "the node has sufficient PID available", since),
            ready(network, since),
        ]),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(config.ports.node) }),
        }),
        images: Some(images.collect()),
        node_info: Some(NodeSystemInfo {
            architecture: machine.arch.clone(),
            boot_id: machine.boot_id.clone(),
            container_runtime_version: concat!("raftsman://", env!("CARGO_PKG_VERSION")).to_owned(),
            kernel_version: machine.kernel.clone(),
            kube_proxy_version: VERSION.to_owned(),
            kubelet_version: VERSION.to_owned(),
            machine_id: machine.machine_id.clone(),
            operating_system: "linux".to_owned(),
            os_image: machine.os_image.clone(),
            system_uuid: machine.system_uuid.clone(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    };
    Node {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: None,
        status: Some(status),
    }
}

/// Whether the masters hold the node as it was reported: someone else may have judged it meanwhile.
pub fn says(held: &Node, reported: &Node) -> bool {
    let (Some(old), Some(new)) = (&held.status, &reported.status) else {
        return false;
    };
    let held_label =
        |(key, value): (&String, &String)| held.metadata.labels.as_ref().and_then(|all| all.get(key)) == Some(value);
    let held_annotation = |(key, value): (&String, &String)| {
        held.metadata.annotations.as_ref().and_then(|all| all.get(key)) == Some(value)
    };
    let held_condition = |new: &NodeCondition| {
        let all = old.conditions.as_deref().unwrap_or_default();
        all.iter().any(|old| (&old.type_, &old.status, &old.reason) == (&new.type_, &new.status, &new.reason))
    };
    old.addresses == new.addresses
        && old.capacity == new.capacity
        && old.node_info == new.node_info
        && old.images == new.images
        && reported.metadata.annotations.iter().flatten().all(held_annotation)
        && reported.metadata.labels.iter().flatten().all(held_label)
        && new.conditions.as_deref().unwrap_or_default().iter().all(held_condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_not_ready_says_why() {
        let said = |network| ready(network, Timestamp::UNIX_EPOCH).message.unwrap_or_default();
        assert!(said(Ok(())).contains("ready status"));
        assert!(said(Err(None)).ends_with("not ready: the node has no podCIDR yet"));
        assert!(said(Err(Some("no nf_tables"))).ends_with("not ready: no nf_tables"));
    }
}
