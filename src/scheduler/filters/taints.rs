//! Taints and tolerations.

use super::Filter;
use crate::{Demand, NodeInfo};
use k8s_openapi::api::core::v1::Taint;
use raftsman_controllers::tolerates;

/// Refuses taints with the effects `NoSchedule` and `NoExecute` that the pod does not tolerate.
pub struct Taints;

/// Whether any of the pod's tolerations covers a taint.
pub fn tolerated(pod: &Demand, taint: &Taint) -> bool {
    pod.tolerations.iter().any(|toleration| tolerates(toleration, taint))
}

impl Filter for Taints {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        let binding = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
        let mut refused = node.taints.iter().filter(binding).filter(|taint| !tolerated(pod, taint));
        let reason = |taint: &Taint| {
            let value = taint.value.as_deref().unwrap_or("");
            format!("node(s) had untolerated taint {{{}: {value}}}", taint.key)
        };
        refused.next().map(reason).into_iter().collect()
    }
}
