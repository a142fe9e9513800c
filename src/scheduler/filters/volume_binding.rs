//! Volumes: a pod goes only where the volumes of its claims can be reached, or can be made.

use super::{Filter, HelpedBy, node_affinity};
use crate::volumes::required;
use crate::{Demand, NodeInfo};
use k8s_openapi::api::core::v1::PersistentVolume;

/// Refuses nodes that a volume cannot be reached from.
pub struct VolumeBinding;

fn reaches(volume: &PersistentVolume, node: &NodeInfo) -> bool {
    required(volume)
        .is_none_or(|required| required.node_selector_terms.iter().any(|term| node_affinity::matches(term, node)))
}

impl Filter for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        if !pod.volumes.affinities.iter().all(|volume| reaches(volume, node)) {
            return vec!["node(s) had volume node affinity conflict".to_owned()];
        }
        let served = |free: &Vec<std::sync::Arc<PersistentVolume>>| free.iter().any(|volume| reaches(volume, node));
        if !pod.volumes.candidates.iter().all(served) {
            return vec!["node(s) didn't find available persistent volumes to bind".to_owned()];
        }
        Vec::new()
    }

    fn helped_by(&self) -> HelpedBy {
        HelpedBy::NODE.or(HelpedBy::VOLUME)
    }
}
