//! Claims and volumes (`v1 PersistentVolumeClaim`, `v1 PersistentVolume`): binding, provisioning of local directories, and
//! what becomes of a volume whose claim is gone.
//!
//! A binding is two writes, the volume's first: a volume that names a claim is that claim's, so what is left half done is
//! found and finished by the next plan.

mod claim;
mod provision;
mod select;
#[cfg(test)]
mod tests;
mod volume;

pub use select::volumes_that_fit;

use crate::objects::{self, CLAIMS, PODS, STORAGE_CLASSES, VOLUMES};
use crate::{Controller, Key, Now, Plan, WorkKey};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use raftsman_api::volumes::{CLAIM_CLASS, DEFAULT_CLASS, POD_CLAIM, VOLUME_CLAIM};
use raftsman_state::{Change, Object, View};
use std::sync::Arc;

/// The controller of claims and volumes.
pub struct Volumes;

/// Event reason of a claim that found nothing.
const FAILED: &str = "ProvisioningFailed";

type Class = (Arc<Object>, Arc<StorageClass>);

fn full_name(key: &Key) -> String {
    format!("{}/{}", key.namespace(), key.name())
}

fn class(view: &View, name: &str) -> Option<Class> {
    objects::get(view, &Key::new(&STORAGE_CLASSES, "", name))
}

/// The class of claims that name none; of several the newest (upstream's rule).
fn default_class(view: &View) -> Option<Class> {
    let all = view.list(&STORAGE_CLASSES, None).filter_map(|object| Some((object.clone(), objects::decode(object)?)));
    let marked = all.filter(|(_, class): &Class| {
        let annotations = class.metadata.annotations.as_ref();
        annotations.is_some_and(|all| all.get(DEFAULT_CLASS).is_some_and(|value| value == "true"))
    });
    marked.max_by_key(|(object, class)| {
        let created = class.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created, std::cmp::Reverse(object.key.name().to_owned()))
    })
}

/// It begins to bind when a pod that uses it has a node.
fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// The claim that a volume is for.
fn claim_of(volume: &PersistentVolume) -> Option<Key> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(Key::new(&CLAIMS, claim.namespace.as_deref()?, claim.name.as_deref()?))
}

fn volume_of(claim: &PersistentVolumeClaim) -> Option<Key> {
    let name = claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())?;
    Some(Key::new(&VOLUMES, "", name))
}

/// Unbound claims of a class.
fn waiting(view: &View, class: &str) -> Vec<WorkKey> {
    let claims = view.by_index(CLAIM_CLASS, class);
    let unbound = claims.filter(|object| {
        objects::decode::<PersistentVolumeClaim>(object).is_some_and(|claim| volume_of(&claim).is_none())
    });
    unbound.map(|object| object.key.clone()).collect()
}

impl Controller for Volumes {
    fn name(&self) -> &'static str {
        "persistentvolume-binder"
    }

    fn wants(&self, change: &Change, view: &View) -> Vec<WorkKey> {
        let key = change.key();
        let mut keys: Vec<WorkKey> = Vec::new();
        if key.resource == *CLAIMS {
            keys.push(key.clone());
            keys.extend(view.by_index(VOLUME_CLAIM, &full_name(key)).map(|volume| volume.key.clone()));
            let claim = objects::decode::<PersistentVolumeClaim>(&change.object);
            keys.extend(claim.and_then(|claim| volume_of(&claim)));
        } else if key.resource == *VOLUMES {
            keys.push(key.clone());
            for object in change.previous.iter().chain([&change.object]) {
                let Some(volume) = objects::decode::<PersistentVolume>(object) else {
                    continue;
                };
                match claim_of(&volume) {
                    Some(claim) => keys.push(claim),
                    None if !change.deleted => {
                        let class = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
                        keys.extend(waiting(view, class.unwrap_or("")));
                    }
                    None => {}
                }
            }
        } else if key.resource == *STORAGE_CLASSES && !change.deleted {
            keys.extend(waiting(view, key.name()));
            keys.extend(waiting(view, ""));
        } else if key.resource == *PODS {
            let over =
                change.deleted || matches!(change.object.meta.field("status.phase"), Some("Succeeded" | "Failed"));
            for (_, claim) in change.object.meta.index.iter().filter(|(index, _)| over && **index == *POD_CLAIM) {
                if let Some((namespace, name)) = claim.split_once('/') {
                    keys.push(Key::new(&CLAIMS, namespace, name));
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &CLAIMS).into_iter().chain(objects::keys(view, &VOLUMES)).collect()
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        if key.resource == *CLAIMS {
            if let Some((object, claim)) = objects::get::<PersistentVolumeClaim>(view, key) {
                claim::plan(&mut plan, view, &object, &claim, now);
            }
        } else if let Some((object, volume)) = objects::get::<PersistentVolume>(view, key) {
            volume::plan(&mut plan, view, &object, &volume, now);
        }
        plan
    }
}
