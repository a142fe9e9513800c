//! Gives every node its part of the pods' address range.

use crate::objects::{self, NODES};
use crate::{Action, Controller, Key, Now, Plan, WorkKey};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use raftsman_state::{Change, View};
use std::collections::HashSet;

/// Hands out `spec.podCIDR`.
pub struct NodeIpam {
    /// The whole range.
    pub cluster: IpNet,
    /// Prefix length of one node's part.
    pub prefix: u8,
}

/// One key for all nodes: two plans at once would choose the same range.
fn all_nodes() -> WorkKey {
    Key::new(&NODES, "", "")
}

fn is_without(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.pod_cidr.as_deref()).unwrap_or("").is_empty()
}

impl Controller for NodeIpam {
    fn name(&self) -> &'static str {
        "node-ipam-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let key = change.key();
        // A range that comes free may be what another node waits for.
        let concerns = key.resource == *NODES
            && (change.deleted || objects::decode::<Node>(&change.object).is_some_and(|node| is_without(&node)));
        if concerns { vec![all_nodes()] } else { Vec::new() }
    }

    fn all(&self, _view: &View) -> Vec<WorkKey> {
        vec![all_nodes()]
    }

    fn plan(&self, view: &View, _key: &WorkKey, _now: &Now) -> Plan {
        let mut plan = Plan::none();
        let nodes: Vec<_> =
            view.list(&NODES, None).filter_map(|object| Some((object, objects::decode::<Node>(object)?))).collect();
        let without: Vec<_> = nodes.iter().filter(|(object, node)| is_without(node) && !object.meta.deleting).collect();
        if without.is_empty() {
            return plan;
        }
        let taken: HashSet<IpNet> = nodes
            .iter()
            .filter_map(|(_, node)| node.spec.as_ref())
            .flat_map(|spec| spec.pod_cidr.iter().chain(spec.pod_cidrs.iter().flatten()))
            .filter_map(|cidr| cidr.parse().ok())
            .collect();
        // Ranges that people chose may have other sizes.
        let odd: Vec<&IpNet> = taken.iter().filter(|range| range.prefix_len() != self.prefix).collect();
        let overlaps = |part: &IpNet| odd.iter().any(|range| range.contains(&part.network()) || part.contains(*range));
        let mut free = self.parts().filter(|part| !taken.contains(part) && !overlaps(part));
        for (object, _) in without {
            match free.next() {
                Some(part) => plan.push(Action::AssignPodCidr {
                    node: object.key.clone(),
                    uid: object.meta.uid.clone(),
                    cidr: part.to_string(),
                }),
                None => {
                    let message = format!(
                        "Node {} status is now: CIDRNotAvailable: no /{} is left in {}; make the cluster's pod range larger",
                        object.key.name(),
                        self.prefix,
                        self.cluster
                    );
                    plan.push(objects::event(object, ("v1", "Node"), false, "CIDRNotAvailable", message));
                }
            }
        }
        plan
    }
}

impl NodeIpam {
    fn parts(&self) -> impl Iterator<Item = IpNet> {
        self.cluster.subnets(self.prefix).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::Cluster;
    use serde_json::{Value, json};

    fn node(name: &str, cidr: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": cidr}})
    }

    #[test]
    fn a_wider_range_that_somebody_chose_is_left_alone() {
        let mut cluster = Cluster::default();
        let ipam = NodeIpam { cluster: "10.244.0.0/22".parse().unwrap(), prefix: 24 };
        cluster.put(node("a", Some("10.244.0.0/23")));
        cluster.put(node("b", Some("10.244.2.128/25")));
        cluster.put(node("c", None));
        let now = cluster.now();
        assert_eq!(ipam.plan(&cluster.view(), &all_nodes(), &now).to_string(), "assign nodes c 10.244.3.0/24\n");
    }

    #[test]
    fn every_node_its_own_and_a_freed_one_again() {
        let mut cluster = Cluster::default();
        let ipam = NodeIpam { cluster: "10.244.0.0/22".parse().unwrap(), prefix: 24 };
        for (name, cidr) in [("a", None), ("b", Some("10.244.1.0/24")), ("c", None), ("d", None), ("e", None)] {
            cluster.put(node(name, cidr));
        }
        let now = cluster.now();
        let text = ipam.plan(&cluster.view(), &all_nodes(), &now).to_string();
        let expected = "assign nodes a 10.244.0.0/24\nassign nodes c 10.244.2.0/24\nassign nodes d 10.244.3.0/24\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("event nodes e Warning CIDRNotAvailable"), "{text}");
        cluster.step(&ipam, &all_nodes());
        cluster.remove(&Key::new(&NODES, "", "c"));
        cluster.step(&ipam, &all_nodes());
        let given = cluster.json(&Key::new(&NODES, "", "e"));
        assert_eq!(given["spec"]["podCIDR"], "10.244.2.0/24");
    }
}
