//! Preferred node affinity.

use super::{Score, normalized};
use crate::filters::node_affinity::matches;
use crate::{Demand, NodeInfo};

/// Prefers nodes that fit the heavier preferences.
pub struct NodePreference;

impl Score for NodePreference {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64> {
        let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let terms = affinity.and_then(|node| node.preferred_during_scheduling_ignored_during_execution.as_deref());
        let terms = terms.unwrap_or_default();
        let sum = |node: &&NodeInfo| {
            terms.iter().filter(|term| matches(&term.preference, node)).map(|term| i64::from(term.weight)).sum()
        };
        normalized(nodes.iter().map(sum).collect())
    }
}
