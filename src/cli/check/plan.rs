//! What is tried, from where, and what to do when it fails. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A node, and why it takes no part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its name.
    pub name: String,
    /// Why nothing is tried there.
    pub problem: Option<String>,
}

/// What was put up to try things with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    /// Per node the address of its server pod.
    pub servers: BTreeMap<String, String>,
    /// Address of the Service before all servers.
    pub service: String,
    /// Name of that Service, in its own namespace.
    pub name: String,
}

/// What is to be reached beside the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beyond {
    /// The control plane's virtual address, where there is one.
    pub vip: Option<SocketAddr>,
    /// Outside of the cluster.
    pub egress: Egress,
}

/// What pods are to reach outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Egress {
    /// Nothing is tried.
    None,
    /// A host and a TCP port.
    To(String, u16),
}

impl FromStr for Egress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self::None);
        }
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        // It becomes a word of a shell's command.
        let plain = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        match parts {
            Some((host, port)) if !host.is_empty() && plain(host) => Ok(Self::To(host.to_owned(), port)),
            _ => Err(format!("{text:?} is not HOST:PORT, nor \"none\"")),
        }
    }
}

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// A pod reaches another on its node.
    SameNode,
    /// A pod reaches one on another node.
    CrossNode,
    /// A pod reaches a Service by its address.
    Service,
    /// A pod reaches a Service by its name.
    Dns,
    /// A pod reaches the API.
    Api,
    /// The masters say who leads, and whether there is a virtual address.
    Members,
    /// The control plane's virtual address leads to the master that leads.
    Vip,
    /// A pod reaches the world outside.
    Egress,
}

impl Topic {
    /// What to do when it fails.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::SameNode => {
                "Is something on the node filtering forwarded packets? `nft list ruleset` there: a chain on the hook forward \
                 with policy drop, from a firewall, must accept the pods' range. Does the agent's log say more?"
            }
            Self::CrossNode => {
                "Nodes route each other's pod ranges by the hosts' addresses: `ip route` on the one must show the other's \
                 range via the other's address. Hosts must share a layer 2 network, and it must not drop packets with \
                 pods' addresses (clouds: switch the source/destination check off); a firewall must forward them."
            }
            Self::Service => {
                "If pods on other nodes are reached, the node's Service rules are not: `nft list table ip raftsman` there \
                 must show the address, and the agent's log says what it could not program."
            }
            Self::Dns => {
                "If the Service's address works, the node's own DNS server does not: is something else bound to its port 53 \
                 address, or does a firewall drop UDP from pods to their node? `raftsman exec POD -- cat /etc/resolv.conf`."
            }
            Self::Api => {
                "Pods reach the masters by the Service kubernetes: `raftsman get endpoints kubernetes` must list the live \
                 masters, and masters must take packets from nodes on the API's port."
            }
            Self::Members => {
                "Whether there is a virtual address only the masters say, so it was not tried. To read it takes the verb get on \
                 the path /raftsman/v1/members (a ClusterRole's nonResourceURLs), or the admin kubeconfig; if no master \
                 answered, `raftsman status` says how they are."
            }
            Self::Vip => {
                "The master that leads carries the control plane's address: `raftsman members list` says who that is, and \
                 `ip address` there must show it. Does the network take its gratuitous ARP when it moves (switches' ARP \
                 inspection, clouds), and is it nobody else's? An address is only carried within the masters' own layer 2 \
                 network."
            }
            Self::Egress => {
                "Does the node itself reach it? Then packets leave with pods' addresses: is the node's masquerade rule there \
                 (`nft list table ip raftsman`)? In a closed network say --egress HOST:PORT of something that is there."
            }
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameNode => "pod to pod, same node",
            Self::CrossNode => "pod to pod, across nodes",
            Self::Service => "Service by address",
            Self::Dns => "Service by name (DNS)",
            Self::Api => "pod to API",
            Self::Members => "masters' list of members",
            Self::Vip => "control plane's virtual address",
            Self::Egress => "pod to the outside",
        })
    }
}

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// What it is about.
    pub topic: Topic,
    /// From which node.
    pub from: String,
    /// To what, for people.
    pub to: String,
    /// A shell's command in the node's client pod.
    pub command: String,
    /// What its output must begin with.
    pub expect: String,
}

/// What came of it: done, or why not.
pub(super) type Outcome = Result<(), String>;

/// Name of the pod on a node that answers.
pub(super) fn server(node: &str) -> String {
    format!("server-{node}")
}

/// Name of the pod on a node that asks.
pub(super) fn client(node: &str) -> String {
    format!("client-{node}")
}

/// Everything that is to be tried. Across nodes each reaches the next, so that the number grows with the nodes only.
pub(super) fn plan(ground: &Ground, beyond: &Beyond) -> Vec<Probe> {
    let nodes: Vec<&String> = ground.servers.keys().collect();
    let mut probes = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut add = |topic, to: String, command: String, expect: &str| {
            probes.push(Probe { topic, from: (*node).clone(), to, command, expect: expect.to_owned() });
        };
        add(Topic::SameNode, server(node), fetch(&ground.servers[*node]), &server(node));
        let next = nodes[(at + 1) % nodes.len()];
        if next != *node {
            add(Topic::CrossNode, server(next), fetch(&ground.servers[next]), &server(next));
        }
        add(Topic::Service, ground.service.clone(), fetch(&ground.service), "server-");
        add(Topic::Dns, ground.name.clone(), fetch(&ground.name), "server-");
        let api = connect("$KUBERNETES_SERVICE_HOST", "$KUBERNETES_SERVICE_PORT");
        add(Topic::Api, "kubernetes.default".to_owned(), api, "reached");
        if let Some(vip) = beyond.vip {
            add(Topic::Vip, vip.to_string(), connect(&vip.ip().to_string(), &vip.port().to_string()), "reached");
        }
        if let Egress::To(host, port) = &beyond.egress {
            add(Topic::Egress, format!("{host}:{port}"), connect(host, &port.to_string()), "reached");
        }
    }
    probes.sort_by_key(|probe| probe.topic);
    probes
}

fn fetch(host: &str) -> String {
    // timeout, not wget -T: Debian's static busybox dies of that.
    format!("timeout 4 wget -qO- http://{host}:8080/ 2>&1 || echo no answer, exit code $?")
}

fn connect(host: &str, port: &str) -> String {
    format!("nc -w 4 {host} {port} </dev/null >/dev/null && echo reached || echo no connection")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ground(nodes: &[&str]) -> Ground {
        let servers = nodes.iter().zip(2..).map(|(node, at)| ((*node).to_owned(), format!("10.1.{at}.2"))).collect();
        Ground { servers, service: "10.96.0.7".to_owned(), name: "check".to_owned() }
    }

    fn pairs(probes: &[Probe], topic: Topic) -> Vec<(&str, &str)> {
        probes.iter().filter(|it| it.topic == topic).map(|it| (it.from.as_str(), it.to.as_str())).collect()
    }

    #[test]
    fn every_node_tries_everything() {
        let (vip, egress) = (Some("10.0.0.9:6443".parse().unwrap()), Egress::To("example.org".to_owned(), 80));
        let probes = plan(&ground(&["a", "b", "c"]), &Beyond { vip, egress });
        assert_eq!(pairs(&probes, Topic::SameNode), [("a", "server-a"), ("b", "server-b"), ("c", "server-c")]);
        assert_eq!(pairs(&probes, Topic::CrossNode), [("a", "server-b"), ("b", "server-c"), ("c", "server-a")]);
        for topic in [Topic::Service, Topic::Dns, Topic::Api, Topic::Vip, Topic::Egress] {
            assert_eq!(pairs(&probes, topic).len(), 3, "{topic}");
        }
        let across = probes.iter().find(|it| it.topic == Topic::CrossNode).unwrap();
        assert!(across.command.contains("http://10.1.3.2:8080/") && across.expect == "server-b");
    }

    #[test]
    fn one_node_has_no_other() {
        let probes = plan(&ground(&["a"]), &Beyond { vip: None, egress: Egress::None });
        let none = |topic| pairs(&probes, topic).is_empty();
        assert!(none(Topic::CrossNode) && none(Topic::Vip) && none(Topic::Egress));
        assert_eq!(probes.len(), 4);
    }

    #[test]
    fn egress_is_a_host_and_a_port() {
        assert_eq!("none".parse(), Ok(Egress::None));
        assert_eq!("a.b:80".parse(), Ok(Egress::To("a.b".to_owned(), 80)));
        for bad in ["", "a", ":80", "a:x", "a:70000", "$(reboot):80", "a b:1"] {
            assert!(bad.parse::<Egress>().is_err(), "{bad}");
        }
    }
}
