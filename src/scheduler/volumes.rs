//! Claims and volumes as placement sees them.

use k8s_openapi::api::core::v1::{NodeSelector, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use raftsman_api::volumes::{LOCAL_PATH, SELECTED_NODE};
use raftsman_controllers::{Key, objects};
use raftsman_state::{Object, View};
use std::sync::Arc;

/// What a pod's claims ask of its place.
#[derive(Debug, Clone, Default)]
pub struct VolumeDemand {
    /// Where the bound volumes can be reached.
    pub affinities: Vec<Arc<PersistentVolume>>,
    /// For each claim that binds when its first consumer has a node and that nobody makes a volume for: the volumes that may
    /// serve it.
    pub candidates: Vec<Vec<Arc<PersistentVolume>>>,
    /// Claims to which the chosen node must be told before the pod can go there.
    pub untold: Vec<Arc<Object>>,
    /// Claims that have been told, and wait for their volume.
    pub waiting: bool,
    /// Why the pod can go nowhere for now.
    pub refused: Option<String>,
}

impl VolumeDemand {
    /// What the claims of this pod come to.
    pub fn of(view: &View, object: &Object, pod: &Pod) -> Self {
        let mut demand = Self::default();
        let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
        for source in volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
            let key = Key::new(&objects::CLAIMS, object.key.namespace(), &source.claim_name);
            if let Err(why) = demand.claim(view, &key) {
                demand.refused.get_or_insert(why);
            }
        }
        demand
    }

    fn claim(&mut self, view: &View, key: &Key) -> Result<(), String> {
        let name = key.name();
        let missing = || format!("persistentvolumeclaim {name:?} not found");
        let (object, claim) = objects::get::<PersistentVolumeClaim>(view, key).ok_or_else(missing)?;
        if object.meta.deleting {
            return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        let spec = claim.spec.clone().unwrap_or_default();
        if let Some(volume) = spec.volume_name.as_deref().filter(|name| !name.is_empty()) {
            let key = Key::new(&objects::VOLUMES, "", volume);
            let (_, typed) = objects::get::<PersistentVolume>(view, &key)
                .ok_or_else(|| format!("persistentvolume {volume:?} not found"))?;
            let bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
            self.waiting |= !bound;
            self.affinities.push(typed);
            return Ok(());
        }
        let unbound = || "pod has unbound immediate PersistentVolumeClaims".to_owned();
        let class = spec.storage_class_name.as_deref().filter(|class| !class.is_empty()).ok_or_else(unbound)?;
        let class_key = Key::new(&objects::STORAGE_CLASSES, "", class);
        let (_, typed) = objects::get::<StorageClass>(view, &class_key).ok_or_else(unbound)?;
        if typed.volume_binding_mode.as_deref() != Some("WaitForFirstConsumer") {
            return Err(unbound());
        }
        let annotations = claim.metadata.annotations.as_ref();
        if annotations.is_some_and(|all| all.get(SELECTED_NODE).is_some_and(|node| !node.is_empty())) {
            self.waiting = true;
            return Ok(());
        }
        if typed.provisioner != LOCAL_PATH {
            let free = raftsman_controllers::volumes_that_fit(view, class, &claim);
            self.candidates.push(free);
        }
        self.untold.push(object);
        Ok(())
    }
}

/// The volume can be reached from a node with these terms fulfilled.
pub(crate) fn required(volume: &PersistentVolume) -> Option<&NodeSelector> {
    volume.spec.as_ref()?.node_affinity.as_ref()?.required.as_ref()
}
