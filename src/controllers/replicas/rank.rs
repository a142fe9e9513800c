//! Which pods go first when there are too many.

use super::{Owner, PodObject};
use crate::objects::PODS;
use crate::{Now, pods};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_state::View;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Annotation: pods with a lower cost go first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What decides about one pod, most important first; the smaller goes first.
struct Rank {
    assigned: bool,
    phase: u8,
    ready: bool,
    cost: i32,
    doubled: usize,
    ready_since: Option<Timestamp>,
    restarts: i32,
    created: Option<Timestamp>,
    uid: String,
}

/// Sorts so that those to be deleted come first.
pub(super) fn sort(view: &View, owner: &Owner, active: &mut [PodObject], now: &Now) {
    let nodes = related_per_node(view, owner, active);
    active.sort_by_cached_key(|(_, pod)| Sorted(rank(pod, &nodes), now.time));
}

/// Active pods on each node, of this owner and of the others under the same controller (a Deployment's ReplicaSets).
fn related_per_node(view: &View, owner: &Owner, active: &[PodObject]) -> HashMap<String, usize> {
    let mut nodes = HashMap::new();
    let mut count = |node: &str| *nodes.entry(node.to_owned()).or_insert(0) += 1;
    active.iter().filter_map(|(_, pod)| pods::node_name(pod)).for_each(&mut count);
    if let Some(controller) = owner.object.meta.controller() {
        for sibling in view.by_owner(&controller.uid).filter(|sibling| sibling.meta.uid != owner.uid) {
            for pod in view.by_owner(&sibling.meta.uid).filter(|pod| pod.key.resource == *PODS && !pod.meta.deleting) {
                pod.meta.field("spec.nodeName").filter(|node| !node.is_empty()).into_iter().for_each(&mut count);
            }
        }
    }
    nodes
}

fn rank(pod: &Pod, nodes: &HashMap<String, usize>) -> Rank {
    let node = pods::node_name(pod);
    let cost = pod.metadata.annotations.as_ref().and_then(|all| all.get(DELETION_COST)?.parse().ok());
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    Rank {
        assigned: node.is_some(),
        phase: match pods::phase(pod) {
            "Pending" => 0,
            "Running" => 2,
            _ => 1,
        },
        ready: pods::is_ready(pod),
        cost: cost.unwrap_or(0),
        doubled: node.and_then(|node| nodes.get(node)).copied().unwrap_or(0),
        ready_since: pods::ready_since(pod),
        restarts: statuses.iter().map(|status| status.restart_count).max().unwrap_or(0),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
    }
}

/// The age's order of magnitude: pods that are about as old are told apart by uid, so that no zone or node is favoured.
fn magnitude(since: Option<Timestamp>, now: Timestamp) -> i32 {
    since.map_or(-1, |since| match now.duration_since(since).as_secs() {
        seconds if seconds > 0 => i32::try_from(seconds.ilog2()).unwrap_or(i32::MAX),
        _ => 0,
    })
}

struct Sorted(Rank, Timestamp);

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b, now) = (&self.0, &other.0, self.1);
        let by_age = |a: Option<Timestamp>, b: Option<Timestamp>| magnitude(a, now).cmp(&magnitude(b, now));
        a.assigned
            .cmp(&b.assigned)
            .then(a.phase.cmp(&b.phase))
            .then(a.ready.cmp(&b.ready))
            .then(a.cost.cmp(&b.cost))
            .then(b.doubled.cmp(&a.doubled))
            .then(by_age(a.ready_since, b.ready_since))
            .then(b.restarts.cmp(&a.restarts))
            .then(by_age(a.created, b.created))
            .then_with(|| a.uid.cmp(&b.uid))
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Sorted {}
