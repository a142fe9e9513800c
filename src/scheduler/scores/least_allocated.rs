//! Room left.

use super::{BEST, Score};
use crate::amounts::{CPU, MEMORY};
use crate::{Demand, NodeInfo};

/// Prefers nodes with the larger part of cpu and memory left.
pub struct LeastAllocated;

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn weight(&self) -> i64 {
        1
    }

    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64> {
        let left = |node: &NodeInfo, name: &str| {
            let (has, used) = (node.allocatable.get(name), node.assumed.get(name) + pod.assumed.get(name));
            if has <= 0 || used >= has { 0 } else { i128::from(has - used) * i128::from(BEST) / i128::from(has) }
        };
        let score = |node: &&NodeInfo| i64::try_from((left(node, CPU) + left(node, MEMORY)) / 2).unwrap_or(0);
        nodes.iter().map(score).collect()
    }
}
