//! Which volume fits a claim.

use crate::Key;
use crate::objects::{self, NODES};
use crate::selector::Selector;
use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, PersistentVolume, PersistentVolumeClaim};
use raftsman_api::quantity::Quantity;
use raftsman_api::volumes::VOLUME_CLASS;
use raftsman_state::{Object, View};
use std::sync::Arc;

fn storage(
    amounts: Option<&std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
) -> Quantity {
    amounts.and_then(|all| all.get("storage")?.0.parse().ok()).unwrap_or_default()
}

/// The volume names this claim, and no other one of its name.
pub(super) fn is_for(volume: &PersistentVolume, claim: &Object) -> bool {
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    reference.is_some_and(|reference| {
        reference.namespace.as_deref() == Some(claim.key.namespace())
            && reference.name.as_deref() == Some(claim.key.name())
            && reference.uid.as_deref().is_none_or(|uid| uid.is_empty() || *uid == *claim.meta.uid)
    })
}

/// The smallest volume of the class that nobody has and that fits; on `node`, if one was chosen.
pub(super) fn available(
    view: &View,
    class: &str,
    claim: &PersistentVolumeClaim,
    node: Option<&str>,
) -> Option<Arc<Object>> {
    let node = node.and_then(|node| objects::get::<Node>(view, &Key::new(&NODES, "", node)));
    let fitting = fitting(view, class, claim);
    let reached =
        fitting.into_iter().filter(|(_, _, volume)| node.as_ref().is_none_or(|(_, node)| reaches(volume, node)));
    let sized = reached.map(|(size, object, _)| (size, object));
    let smaller = |a: &(Quantity, Arc<Object>), b: &(Quantity, Arc<Object>)| {
        a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.1.key.cmp(&b.1.key))
    };
    sized.min_by(smaller).map(|(_, object)| object)
}

/// The volumes of a class that nobody has and that fit a claim, wherever they can be reached.
pub fn volumes_that_fit(view: &View, class: &str, claim: &PersistentVolumeClaim) -> Vec<Arc<PersistentVolume>> {
    fitting(view, class, claim).into_iter().map(|(_, _, volume)| volume).collect()
}

fn fitting(
    view: &View,
    class: &str,
    claim: &PersistentVolumeClaim,
) -> Vec<(Quantity, Arc<Object>, Arc<PersistentVolume>)> {
    let spec = claim.spec.clone().unwrap_or_default();
    let wanted = storage(spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()));
    let selector = match &spec.selector {
        Some(selector) => match Selector::of(selector) {
            Some(selector) => Some(selector),
            None => return Vec::new(),
        },
        None => None,
    };
    let fits = |object: &&Arc<Object>, volume: &PersistentVolume| {
        let Some(held) = &volume.spec else {
            return false;
        };
        let modes = held.access_modes.as_deref().unwrap_or_default();
        !object.meta.deleting
            && held.claim_ref.is_none()
            && spec.access_modes.iter().flatten().all(|mode| modes.contains(mode))
            && held.volume_mode.as_deref().unwrap_or("Filesystem")
                == spec.volume_mode.as_deref().unwrap_or("Filesystem")
            && selector.as_ref().is_none_or(|selector| selector.matches(&object.meta))
    };
    let sized = view.by_index(VOLUME_CLASS, class).filter_map(|object| {
        let volume = objects::decode::<PersistentVolume>(object).filter(|volume| fits(&object, volume))?;
        let size = storage(volume.spec.as_ref()?.capacity.as_ref());
        (size >= wanted).then(|| (size, object.clone(), volume))
    });
    sized.collect()
}

/// A volume can be used on a node (`spec.nodeAffinity`).
pub(crate) fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref()?.required.as_ref());
    let labels = node.metadata.labels.as_ref();
    let holds = |requirement: &NodeSelectorRequirement| {
        let found = labels.and_then(|labels| labels.get(&requirement.key));
        let values = requirement.values.as_deref().unwrap_or_default();
        let listed = found.is_some_and(|found| values.contains(found));
        match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => false,
        }
    };
    affinity.is_none_or(|affinity| {
        affinity.node_selector_terms.iter().any(|term| term.match_expressions.iter().flatten().all(holds))
    })
}
