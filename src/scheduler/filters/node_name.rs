//! Pods that name their node.

use super::Filter;
use crate::{Demand, NodeInfo};

/// Refuses every other node.
pub struct NodeName;

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        match &pod.node_name {
            Some(name) if *name != node.name => {
                vec!["node(s) didn't match the requested node name".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
