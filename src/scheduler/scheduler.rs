//! One decision: filters, then scores.

use crate::filters::{self, Filter, HelpedBy};
use crate::scores::{self, Score};
use crate::{Demand, Index, NodeInfo};
use raftsman_controllers::objects;
use std::collections::BTreeMap;

/// What becomes of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes to this node.
    Bind(String),
    /// It fits nowhere.
    Unschedulable {
        /// For people: how many nodes refuse it for what.
        message: String,
        /// The same as numbers.
        reasons: BTreeMap<String, usize>,
        /// What may help.
        helped_by: HelpedBy,
    },
}

/// The rules.
pub struct Scheduler {
    filters: Vec<Box<dyn Filter>>,
    scores: Vec<Box<dyn Score>>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { filters: filters::all(), scores: scores::all() }
    }
}

impl Scheduler {
    /// Chooses a node. The same pod on the same index gets the same answer.
    pub fn schedule(&self, index: &Index, pod: &Demand) -> Decision {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        if let Some(rule) = pod.unsupported {
            let message = format!("{rule} is not supported by this scheduler: remove it, or name a node yourself");
            reasons.insert(message.clone(), 1);
            return Decision::Unschedulable { message, reasons, helped_by: HelpedBy::default() };
        }
        if let Some(why) = &pod.volumes.refused {
            let total = index.nodes().count();
            let message = format!("0/{total} nodes are available: {why}.");
            reasons.insert(why.clone(), total);
            return Decision::Unschedulable { message, reasons, helped_by: HelpedBy::VOLUME };
        }
        let mut helped_by = HelpedBy::NODE;
        let mut total = 0;
        let mut fits: Vec<&NodeInfo> = Vec::new();
        for node in index.nodes() {
            total += 1;
            let refused = self.filters.iter().find_map(|filter| {
                let why = filter.refuse(pod, node);
                (!why.is_empty()).then_some((filter, why))
            });
            match refused {
                None => fits.push(node),
                Some((filter, why)) => {
                    helped_by = helped_by.or(filter.helped_by());
                    why.into_iter().for_each(|why| *reasons.entry(why).or_default() += 1);
                }
            }
        }
        match self.best(pod, &fits) {
            Some(node) => Decision::Bind(node.name.clone()),
            None => Decision::Unschedulable { message: message(total, &reasons), reasons, helped_by },
        }
    }

    fn best<'a>(&self, pod: &Demand, nodes: &[&'a NodeInfo]) -> Option<&'a NodeInfo> {
        if nodes.len() < 2 {
            return nodes.first().copied();
        }
        let mut sums = vec![0; nodes.len()];
        for score in &self.scores {
            for (sum, points) in sums.iter_mut().zip(score.score(pod, nodes)) {
                *sum += points * score.weight();
            }
        }
        // Equals are told apart by a hash, so that not every pod goes to the first node.
        let by = |(node, sum): &(&&'a NodeInfo, i64)| (*sum, objects::hash(&[&pod.uid, &node.name]));
        nodes.iter().zip(sums).max_by_key(by).map(|(node, _)| *node)
    }
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`
fn message(total: usize, reasons: &BTreeMap<String, usize>) -> String {
    if total == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut texts: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    texts.sort_unstable();
    format!("0/{total} nodes are available: {}.", texts.join(", "))
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
