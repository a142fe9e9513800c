//! A StatefulSet in a cluster of one node, for tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::StatefulSets;
use crate::Key;
use crate::objects::PODS;
use crate::testing::Cluster;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

pub(super) fn web(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "x", "generation": 1},
        "spec": {
            "replicas": replicas, "serviceName": "peers", "selector": {"matchLabels": {"app": "web"}},
            "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        },
    })
}

pub(super) fn pod_key(name: &str) -> Key {
    Key::new(&PODS, "x", name)
}

pub(super) struct World {
    pub cluster: Cluster,
    pub key: Key,
}

impl World {
    pub fn new(set: Value) -> Self {
        let mut cluster = Cluster::default();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let key = cluster.put(set).key.clone();
        Self { cluster, key }
    }

    pub fn settle(&mut self) {
        self.cluster.settle(&[&StatefulSets]);
    }

    pub fn pods(&self) -> Vec<String> {
        self.cluster.names(&PODS)
    }

    /// Places and runs what waits, and lets go what ends: everything that nodes do.
    pub fn nodes_work(&mut self) {
        for name in self.pods() {
            let key = pod_key(&name);
            if self.cluster.view().get(&key).unwrap().meta.deleting {
                self.cluster.remove(&key);
            } else if self.cluster.json(&key).text("status.phase") == "Pending" {
                self.cluster.edit(&key, |pod| set(pod, "spec.nodeName", "n1"));
                self.cluster.run_pod(&key, true);
            }
        }
    }

    /// Lets controller and nodes work in turn until nothing changes; gives the sets of pods that there were.
    pub fn run(&mut self) -> Vec<Vec<String>> {
        let mut seen = Vec::new();
        for _ in 0..50 {
            self.settle();
            seen.push(self.pods());
            seen.dedup();
            let before = self.cluster.view().revision();
            self.nodes_work();
            if self.cluster.view().revision() == before {
                return seen;
            }
        }
        panic!("no rest: {seen:?}");
    }

    pub fn status(&self) -> Value {
        self.cluster.json(&self.key).at("status").clone()
    }

    pub fn images(&self) -> Vec<String> {
        let image = |name: &String| {
            let json = self.cluster.json(&pod_key(name));
            json.list("spec.containers")[0].text("image").to_owned()
        };
        self.pods().iter().map(image).collect()
    }

    pub fn edit(&mut self, path: &str, value: impl Into<Value>) {
        let value = value.into();
        self.cluster.edit(&self.key.clone(), |object| set(object, path, value));
    }

    pub fn new_image(&mut self, image: &str) {
        self.edit("spec.template.spec.containers", json!([{"name": "c", "image": image}]));
    }
}
