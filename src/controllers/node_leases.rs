//! Keeps `kube-node-lease`: what the leader heard of nodes, for whoever reads Leases (`kubectl describe node`).
//!
//! Signs of life themselves end in the leader's memory; nothing of ours decides by these objects.

use crate::objects::{self, LEASES, NODES};
use crate::{Action, Controller, Heartbeats, Key, Now, Plan, WorkKey};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use raftsman_api::time;
use raftsman_state::{Change, View};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Where nodes' Leases are.
const NAMESPACE: &str = "kube-node-lease";
/// Between two renewals, as the kubelet renews.
const EVERY: Duration = Duration::from_secs(10);
/// `spec.leaseDurationSeconds`, as the kubelet says.
const DURATION_SECONDS: i32 = 40;

/// Renews the Lease of every node that gives signs of life.
pub struct NodeLeases {
    /// Signs of life under this leadership.
    pub heartbeats: Arc<dyn Heartbeats>,
}

impl Controller for NodeLeases {
    fn name(&self) -> &'static str {
        "node-lease-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        let new = change.key().resource == *NODES && !change.deleted && change.previous.is_none();
        if new { vec![change.key().clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        objects::keys(view, &NODES)
    }

    fn plan(&self, view: &View, key: &WorkKey, now: &Now) -> Plan {
        let mut plan = Plan::none();
        let Some((node, _)) = objects::get::<Node>(view, key) else { return plan };
        plan.requeue(EVERY);
        let silent = |last| now.mono.saturating_sub(last);
        let Some(silent) = self.heartbeats.last_seen(key.name()).map(silent).filter(|silent| *silent < EVERY) else {
            return plan;
        };
        let renewed = time::micros(now.time - jiff::SignedDuration::try_from(silent).unwrap_or_default());
        let lease = Key::new(&LEASES, NAMESPACE, key.name());
        plan.push(match objects::get::<Lease>(view, &lease) {
            Some((object, _)) => Action::Patch {
                key: lease,
                uid: object.meta.uid.clone(),
                revision: None,
                patch: json!({ "spec": { "renewTime": renewed } }),
                part: None,
            },
            None => Action::Create {
                key: lease,
                object: json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {
                        "name": key.name(), "namespace": NAMESPACE,
                        "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": key.name(), "uid": &*node.meta.uid }],
                    },
                    "spec": { "holderIdentity": key.name(), "leaseDurationSeconds": DURATION_SECONDS, "renewTime": renewed },
                }),
            },
        });
        plan
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::HeartbeatTable;
    use crate::testing::Cluster;

    #[test]
    fn a_node_that_lives_is_renewed_and_a_silent_one_is_not() {
        let beats = Arc::new(HeartbeatTable::default());
        let leases = NodeLeases { heartbeats: beats.clone() };
        let mut cluster = Cluster::default();
        let node = cluster.put(json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } }));
        let renewed = |cluster: &Cluster| {
            let lease = cluster.json(&Key::new(&LEASES, NAMESPACE, "n1"));
            lease["spec"]["renewTime"].as_str().unwrap().to_owned()
        };
        cluster.step(&leases, &node.key);
        assert!(cluster.names(&LEASES).is_empty(), "nobody has heard of it");
        beats.beat("n1", cluster.mono);
        cluster.step(&leases, &node.key);
        let first = renewed(&cluster);
        cluster.pass(8);
        beats.beat("n1", cluster.mono);
        cluster.pass(2);
        let plan = cluster.step(&leases, &node.key);
        assert_eq!(plan.requeue_after, Some(EVERY));
        let second = renewed(&cluster);
        assert_eq!(time::elapsed(&first, &second), Some(8), "the time is that of the sign of life");
        cluster.pass(20);
        cluster.step(&leases, &node.key);
        assert_eq!(renewed(&cluster), second, "a silent node is not renewed");
    }
}
