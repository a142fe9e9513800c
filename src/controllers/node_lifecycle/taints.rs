//! Taints that follow from a node's conditions and from `spec.unschedulable`.

use super::judge;
use crate::Now;
use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Conditions that are bad when true, and their taints.
const PRESSURES: &[(&str, &str)] = &[
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

/// Whether this controller looks after a taint.
fn is_ours(taint: &Taint) -> bool {
    let state = matches!(taint.key.as_str(), NOT_READY | UNREACHABLE) && taint.effect != "PreferNoSchedule";
    let pressure = PRESSURES.iter().any(|(_, key)| *key == taint.key) || taint.key == UNSCHEDULABLE;
    state || (pressure && taint.effect == "NoSchedule")
}

/// All taints that the node should have, if it has others now. Without `evict`, `NoExecute` ones are not added.
pub(super) fn wanted(node: &Node, evict: bool, now: &Now) -> Option<Vec<Taint>> {
    let held = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let state = match judge::ready(node) {
        Some("True") => None,
        Some("Unknown") => Some(UNREACHABLE),
        _ => Some(NOT_READY),
    };
    let mut ours: Vec<(&str, &str)> = state.iter().map(|key| (*key, "NoSchedule")).collect();
    ours.extend(state.map(|key| (key, "NoExecute")));
    let pressed = PRESSURES.iter().filter(|(kind, _)| judge::condition(node, kind) == Some("True"));
    ours.extend(pressed.map(|(_, key)| (*key, "NoSchedule")));
    if node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true) {
        ours.push((UNSCHEDULABLE, "NoSchedule"));
    }
    let wants = |taint: &Taint| ours.contains(&(taint.key.as_str(), taint.effect.as_str()));
    let mut taints: Vec<Taint> = held.iter().filter(|taint| !is_ours(taint) || wants(taint)).cloned().collect();
    for (key, effect) in ours {
        let there = taints.iter().any(|taint| taint.key == key && taint.effect == effect);
        if !there && (evict || effect != "NoExecute") {
            let time_added = Some(Time(now.time));
            taints.push(Taint { key: key.to_owned(), effect: effect.to_owned(), value: None, time_added });
        }
    }
    (taints != held).then_some(taints)
}
