//! Cordoned nodes.

use super::Filter;
use crate::{Demand, NodeInfo};
use k8s_openapi::api::core::v1::Taint;

/// Refuses `spec.unschedulable`, unless the pod tolerates the taint that stands for it.
pub struct Unschedulable;

impl Filter for Unschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        let taint = Taint {
            key: "node.kubernetes.io/unschedulable".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        if node.unschedulable && !super::taints::tolerated(pod, &taint) {
            return vec!["node(s) were unschedulable".to_owned()];
        }
        Vec::new()
    }
}
