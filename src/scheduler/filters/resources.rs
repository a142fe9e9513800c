//! Requests against what a node has left.

use super::{Filter, HelpedBy};
use crate::amounts::PODS;
use crate::{Demand, NodeInfo};

/// Refuses nodes with too little of any resource left; a node that does not name a resource has none of it.
pub struct Resources;

impl Filter for Resources {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        let short = |(name, asked): &(&str, i64)| {
            *asked > 0 && *asked > node.allocatable.get(name).saturating_sub(node.used.get(name))
        };
        let reason = |(name, _)| match name {
            PODS => "Too many pods".to_owned(),
            name => format!("Insufficient {name}"),
        };
        pod.requests.iter().filter(short).map(reason).collect()
    }

    fn helped_by(&self) -> HelpedBy {
        HelpedBy::all()
    }
}
