//! Taints that only ask to be avoided.

use super::{Score, reversed};
use crate::filters::taints::tolerated;
use crate::{Demand, NodeInfo};

/// Prefers nodes with fewer `PreferNoSchedule` taints that the pod does not tolerate.
pub struct TaintPreference;

impl Score for TaintPreference {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn weight(&self) -> i64 {
        3
    }

    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64> {
        let count = |node: &&NodeInfo| {
            let asked = node.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule" && !tolerated(pod, taint));
            i64::try_from(asked.count()).unwrap_or(i64::MAX)
        };
        reversed(nodes.iter().map(count).collect())
    }
}
