//! Ports of the machine that lead to this node's pods (`hostPort`), as the network room wants them.

use super::worker::{Wanted, Worker};
use crate::plan::{Containers, Kind, Message};
use crate::world::World;
use k8s_openapi::api::core::v1::Pod;
use raftsman_network::border::{HostPort, Protocol};
use raftsman_runtime::border::{PodStatus as Observed, Pods};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// By the pods' uids.
pub type HostPorts = BTreeMap<String, Vec<HostPort>>;

fn final_phase(phase: Option<&String>) -> bool {
    phase.is_some_and(|phase| matches!(phase.as_str(), "Succeeded" | "Failed"))
}

fn protocol(name: Option<&str>) -> Protocol {
    match name {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

/// The ports that a pod with this address has; with the host's network its containers listen on the host themselves.
pub fn host_ports(pod: &Pod, ip: IpAddr) -> Vec<HostPort> {
    if pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false) {
        return Vec::new();
    }
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let number = |port: i32| u16::try_from(port).ok().filter(|port| *port != 0);
    let containers = Containers::of(pod).filter(|(kind, _)| *kind != Kind::Init);
    let ports = containers.flat_map(|(_, container)| container.ports.iter().flatten());
    let host = ports.filter_map(|port| {
        let address = port.host_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        Some(HostPort {
            uid: uid.clone(),
            protocol: protocol(port.protocol.as_deref()),
            port: number(port.host_port?)?,
            address: address.filter(|ip| !ip.is_unspecified()),
            to: SocketAddr::new(ip, number(port.container_port)?),
        })
    });
    host.collect()
}

/// Of a port that this node cannot serve, what people should know.
fn unserved(port: &HostPort) -> Option<String> {
    let address = port.address?;
    let why = match address {
        _ if address.is_loopback() => "a host port is not served on loopback",
        IpAddr::V6(_) => "only IPv4 is supported so far",
        IpAddr::V4(_) => return None,
    };
    Some(format!("hostPort {} at hostIP {address} does not lead to the pod: {why}", port.port))
}

/// What an earlier agent's pods have: a new one must not take their ports away until their workers have looked at them.
pub async fn kept(pods: &dyn Pods, world: &parking_lot::RwLock<World>) -> HostPorts {
    let observed = match pods.pods().await {
        Ok(observed) => observed,
        Err(error) => {
            tracing::warn!(%error, "cannot list the pods of this machine: their host ports follow one by one");
            return HostPorts::new();
        }
    };
    let world = world.read();
    let of = |observed: &Observed| {
        let spec = &observed.spec;
        let pod = world.pod(&(spec.namespace.clone(), spec.name.clone()))?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_ref());
        let same = pod.metadata.uid.as_ref() == Some(&spec.uid) && !final_phase(phase);
        let ports = observed.address.filter(|_| same).map(|ip| host_ports(pod, ip))?;
        (!ports.is_empty()).then(|| (spec.uid.clone(), ports))
    };
    observed.iter().filter_map(of).collect()
}

impl Worker {
    /// Has the pod's ports lead to it as long as it has an address and has not ended.
    pub(super) fn tend_host_ports(&mut self, wanted: &Wanted, observed: Option<&Observed>) {
        let said = self.memory.status.as_ref().and_then(|status| status.phase.as_ref());
        let held = wanted.pod.status.as_ref().and_then(|status| status.phase.as_ref());
        let over = self.memory.ended.is_some() || final_phase(said) || final_phase(held);
        let address = observed.and_then(|observed| observed.address).filter(|_| !over);
        let ports = address.map(|ip| host_ports(&wanted.pod, ip)).unwrap_or_default();
        for port in &ports {
            if let Some(problem) = unserved(port) {
                let once = (String::new(), "HostPortNotServed".to_owned(), u32::from(port.port));
                if self.memory.announced.insert(once) {
                    self.tell_event(&wanted.pod, None, Message::host_port_not_served(problem));
                }
            }
        }
        self.shared.host_ports.send_if_modified(|all| match ports.is_empty() {
            true => all.remove(&self.uid).is_some(),
            false => {
                all.get(&self.uid) != Some(&ports) && {
                    all.insert(self.uid.clone(), ports);
                    true
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::{Value, json};

    fn words(spec: Value) -> Vec<String> {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"uid": "u"}, "spec": spec})).unwrap();
        let ports = host_ports(&pod, "10.244.1.7".parse().unwrap());
        let at = |port: &HostPort| port.address.map_or("*".to_owned(), |ip| ip.to_string());
        ports.iter().map(|port| format!("{} {:?} {} -> {}", at(port), port.protocol, port.port, port.to)).collect()
    }

    #[test]
    fn ports_of_main_containers_and_sidecars_count() {
        let spec = json!({
            "initContainers": [
                {"name": "i", "ports": [{"containerPort": 1, "hostPort": 1}]},
                {"name": "s", "restartPolicy": "Always", "ports": [{"containerPort": 9000, "hostPort": 9001, "hostIP": "10.0.0.9"}]},
            ],
            "containers": [{"name": "c", "ports": [
                {"containerPort": 80, "hostPort": 8080},
                {"containerPort": 81},
                {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "0.0.0.0"},
            ]}],
        });
        assert_eq!(
            words(spec.clone()),
            ["10.0.0.9 Tcp 9001 -> 10.244.1.7:9000", "* Tcp 8080 -> 10.244.1.7:80", "* Udp 53 -> 10.244.1.7:53",]
        );
        let mut host = spec;
        host["hostNetwork"] = json!(true);
        assert_eq!(words(host), Vec::<String>::new(), "they are the host's already");
    }

    #[test]
    fn what_is_not_served_is_said() {
        let port = |address: Option<&str>| HostPort {
            uid: String::new(),
            protocol: Protocol::Tcp,
            port: 80,
            address: address.map(|address| address.parse().unwrap()),
            to: "10.244.1.7:80".parse().unwrap(),
        };
        assert!(unserved(&port(Some("127.0.0.1"))).unwrap().contains("loopback"));
        assert!(unserved(&port(Some("fd00::1"))).unwrap().contains("IPv4"));
        assert_eq!((unserved(&port(None)), unserved(&port(Some("10.0.0.9")))), (None, None));
    }
}
