//! Replicas apart.

use super::{Score, reversed};
use crate::{Demand, NodeInfo};
use std::collections::HashMap;

/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// Prefers nodes, and zones, with fewer pods of the same controller. Zones weigh twice as much as nodes.
pub struct Spreading;

impl Score for Spreading {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64> {
        let Some(owner) = &pod.owner else {
            return vec![0; nodes.len()];
        };
        let count = |node: &&NodeInfo| i64::try_from(node.owners.get(owner).copied().unwrap_or(0)).unwrap_or(i64::MAX);
        let by_node = reversed(nodes.iter().map(count).collect());
        let mut zones: HashMap<&str, i64> = HashMap::new();
        for node in nodes {
            if let Some(zone) = node.labels.get(ZONE) {
                *zones.entry(zone).or_default() += count(node);
            }
        }
        if zones.is_empty() {
            return by_node;
        }
        let zone = |node: &&NodeInfo| node.labels.get(ZONE).and_then(|zone| zones.get(zone.as_str())).copied();
        let by_zone = reversed(nodes.iter().map(|node| zone(node).unwrap_or(0)).collect());
        by_node.into_iter().zip(by_zone).map(|(node, zone)| (node + 2 * zone) / 3).collect()
    }
}
