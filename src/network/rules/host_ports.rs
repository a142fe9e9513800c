//! Ports of this machine as services of one pod each: the same maps lead there as to node ports, and an outside client's
//! address is kept as with `externalTrafficPolicy: Local`.

use crate::border::{Affinity, Endpoint, HostPort, ServiceEntry, ServicePort};
use crate::rules::board::ServiceKey;
use std::sync::Arc;

/// The entries, under names that no service can have.
pub fn entries(ports: &[HostPort]) -> Vec<Arc<ServiceEntry>> {
    ports.iter().map(|port| Arc::new(entry(port))).collect()
}

/// The board's key of an entry.
pub fn key(entry: &ServiceEntry) -> ServiceKey {
    (entry.namespace.clone(), entry.name.clone())
}

fn entry(host: &HostPort) -> ServiceEntry {
    let HostPort { uid, protocol, port, address, to } = host;
    let place = address.map(|address| address.to_string()).unwrap_or_default();
    ServiceEntry {
        namespace: String::new(),
        name: format!("{uid}/{protocol:?}/{place}/{port}"),
        cluster_ips: Vec::new(),
        external_ips: address.iter().copied().collect(),
        external_name: None,
        affinity: Affinity::None,
        internal_local: false,
        external_local: true,
        publish_not_ready: false,
        ports: vec![ServicePort {
            name: String::new(),
            protocol: *protocol,
            port: *port,
            node_port: address.is_none().then_some(*port),
            endpoints: vec![Endpoint {
                ip: to.ip(),
                port: to.port(),
                local: true,
                hostname: None,
                ready: true,
                serving: true,
                terminating: false,
            }],
        }],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::border::Protocol;
    use crate::rules::model::{Front, LOCAL_BASE, Ruleset, Slot, Target};
    use crate::rules::render::render_service;
    use std::net::Ipv4Addr;

    const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

    fn rules(ports: &[HostPort]) -> Ruleset {
        let mut all = Ruleset::default();
        for entry in entries(ports) {
            all.merge(&render_service(&entry, RESOLVER));
        }
        all
    }

    fn port(port: u16, address: Option<&str>, protocol: Protocol) -> HostPort {
        let address = address.map(|address| address.parse().unwrap());
        HostPort { uid: "u".to_owned(), protocol, port, address, to: "10.244.1.7:80".parse().unwrap() }
    }

    fn words(rules: &Ruleset) -> Vec<String> {
        let target = |target: &Target| match target {
            Target::Balance(balancer) => balancer.chain(),
            other => format!("{other:?}"),
        };
        let front = |front: &Front| {
            let address = front.address.map_or("*".to_owned(), |address| address.to_string());
            format!("{address} {:?} {}", front.protocol, front.port)
        };
        let targets = rules.targets.iter().map(|((at, side), to)| format!("{} {side:?}: {}", front(at), target(to)));
        let slots = rules.slots.iter().map(|(Slot { front: at, index }, to)| {
            let index = if *index >= LOCAL_BASE { format!("local {}", index - LOCAL_BASE) } else { index.to_string() };
            format!("{} {index} -> {to}", front(at))
        });
        targets.chain(slots).chain(rules.hairpin.iter().map(|ip| format!("hairpin {ip}"))).collect()
    }

    #[test]
    fn a_host_port_leads_to_its_pod_from_everywhere() {
        assert_eq!(
            words(&rules(&[port(8080, None, Protocol::Tcp)])),
            [
                "* Tcp 8080 Inside: np-ext-1",
                "* Tcp 8080 Outside: np-local-1",
                "* Tcp 8080 0 -> 10.244.1.7:80",
                "* Tcp 8080 local 0 -> 10.244.1.7:80",
                "hairpin 10.244.1.7",
            ]
        );
    }

    #[test]
    fn a_host_ip_is_the_only_place() {
        let both = [port(53, Some("10.89.0.21"), Protocol::Udp), port(53, Some("fd00::1"), Protocol::Tcp)];
        assert_eq!(
            words(&rules(&both)),
            [
                "10.89.0.21 Udp 53 Inside: lb-ext-1",
                "10.89.0.21 Udp 53 Outside: lb-local-1",
                "10.89.0.21 Udp 53 0 -> 10.244.1.7:80",
                "10.89.0.21 Udp 53 local 0 -> 10.244.1.7:80",
                "hairpin 10.244.1.7",
            ],
            "IPv6 has no rules here"
        );
        let names: std::collections::BTreeSet<_> = entries(&both).iter().map(|entry| key(entry)).collect();
        assert_eq!(names.len(), 2);
    }
}
