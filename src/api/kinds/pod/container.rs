//! What is wrong with containers.

use super::spec::{maybe_one_of, one_of, text};
use super::{env, probe, resources, volume};
use crate::cause::invalid_each;
use crate::format;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use std::collections::HashSet;

/// All containers of a pod. `volumes` are the names that mounts may use.
pub fn validate_all(spec: &PodSpec, path: &str, volumes: &HashSet<String>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut names = HashSet::new();
    let mut host_ports = HashSet::new();
    let host_network = spec.host_network == Some(true);
    let at = format!("{path}.containers");
    if spec.containers.is_empty() {
        causes.push(Cause::required(&at, ""));
    }
    for (index, container) in spec.containers.iter().enumerate() {
        let at = format!("{at}[{index}]");
        causes.extend(validate(container, &at, volumes, &mut names));
        causes.extend(ports(container, &at, host_network, &mut host_ports));
        if let Some(policy) = &container.restart_policy
            && !["Always", "OnFailure", "Never"].contains(&policy.as_str())
        {
            let at = format!("{at}.restartPolicy");
            causes.push(Cause::not_supported(at, policy, &["Always", "OnFailure", "Never"]));
        }
    }
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let at = format!("{path}.initContainers[{index}]");
        causes.extend(validate(container, &at, volumes, &mut names));
        causes.extend(ports(container, &at, host_network, &mut host_ports));
        causes.extend(init_only(container, &at));
    }
    if spec.ephemeral_containers.as_ref().is_some_and(|list| !list.is_empty()) {
        causes
            .push(Cause::forbidden(format!("{path}.ephemeralContainers"), "cannot be set: not served by this cluster"));
    }
    causes
}

fn init_only(container: &Container, path: &str) -> Vec<Cause> {
    if text(&container.restart_policy) == "Always" {
        return Vec::new();
    }
    let forbidden = "may not be set for init containers without restartPolicy=Always";
    [
        ("lifecycle", container.lifecycle.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(field, _)| Cause::forbidden(format!("{path}.{field}"), forbidden))
    .collect()
}

fn name(name: &str, path: &str, names: &mut HashSet<String>) -> Vec<Cause> {
    let at = format!("{path}.name");
    if name.is_empty() {
        return vec![Cause::required(at, "")];
    }
    let mut causes = invalid_each(&at, name, format::dns_label(name));
    if !names.insert(name.to_owned()) {
        causes.push(Cause::duplicate(at, name));
    }
    causes
}

fn image(image: &Option<String>, path: &str) -> Vec<Cause> {
    let at = format!("{path}.image");
    let image = text(image);
    if image.is_empty() {
        return vec![Cause::required(at, "")];
    }
    if image.trim() != image {
        return vec![Cause::invalid(at, image, "must not have leading or trailing whitespace")];
    }
    Vec::new()
}

fn validate(container: &Container, path: &str, volumes: &HashSet<String>, names: &mut HashSet<String>) -> Vec<Cause> {
    let mut causes = name(&container.name, path, names);
    causes.extend(image(&container.image, path));
    causes.extend(one_of(
        &format!("{path}.terminationMessagePolicy"),
        &container.termination_message_policy,
        &["File", "FallbackToLogsOnError"],
    ));
    causes.extend(maybe_one_of(
        &format!("{path}.imagePullPolicy"),
        &container.image_pull_policy,
        &["Always", "Never", "IfNotPresent"],
    ));
    causes.extend(env::validate(container, path));
    causes.extend(volume::mounts(container, path, volumes));
    causes.extend(probe::validate_all(container, path));
    if let Some(found) = &container.resources {
        causes.extend(resources::validate(found, &format!("{path}.resources")));
    }
    causes
}

fn ports(
    container: &Container,
    path: &str,
    host_network: bool,
    host_ports: &mut HashSet<(String, String, i32)>,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut names = HashSet::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let at = format!("{path}.ports[{index}]");
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            causes.extend(invalid_each(&format!("{at}.name"), name, format::port_name(name)));
            if !names.insert(name) {
                causes.push(Cause::duplicate(format!("{at}.name"), name));
            }
        }
        let number = |field: &str, value: i32| -> Vec<Cause> {
            let wrong = format::port_number(value).into_iter();
            wrong.map(|why| Cause::invalid(format!("{at}.{field}"), value, why)).collect()
        };
        if port.container_port == 0 {
            causes.push(Cause::required(format!("{at}.containerPort"), ""));
        } else {
            causes.extend(number("containerPort", port.container_port));
        }
        let protocol = text(&port.protocol);
        causes.extend(one_of(&format!("{at}.protocol"), &port.protocol, &["TCP", "UDP", "SCTP"]));
        let Some(host_port) = port.host_port.filter(|port| *port != 0) else {
            continue;
        };
        causes.extend(number("hostPort", host_port));
        if host_network && host_port != port.container_port {
            let detail = "must match `hostPort` when `hostNetwork` is true";
            causes.push(Cause::invalid(format!("{at}.containerPort"), port.container_port, detail));
        }
        let host = text(&port.host_ip).to_owned();
        if !host_ports.insert((protocol.to_owned(), host.clone(), host_port)) {
            causes.push(Cause::duplicate(format!("{at}.hostPort"), format!("{protocol}/{host}/{host_port}")));
        }
    }
    causes
}
