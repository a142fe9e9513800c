//! A Job in a cluster of one node, for tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::{Jobs, members};
use crate::Key;
use crate::objects::PODS;
use crate::testing::Cluster;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

pub(super) fn job(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "sum", "namespace": "x", "generation": 1},
        "spec": {
            "completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"job": "sum"}},
            "template": {
                "metadata": {"labels": {"job": "sum"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

pub(super) struct World {
    pub cluster: Cluster,
    pub key: Key,
}

impl World {
    pub fn new(spec: Value) -> Self {
        let mut cluster = Cluster::default();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let key = cluster.put(job(spec)).key.clone();
        Self { cluster, key }
    }

    pub fn settle(&mut self) {
        self.cluster.settle(&[&Jobs]);
    }

    pub fn pods(&self) -> Vec<Key> {
        self.cluster.names(&PODS).iter().map(|name| Key::new(&PODS, "x", name)).collect()
    }

    /// Pods that neither ended nor are being deleted.
    pub fn active(&self) -> Vec<Key> {
        let active = |key: &Key| raftsman_api::pod::is_active(&self.cluster.json(key));
        self.pods().into_iter().filter(active).collect()
    }

    pub fn run(&mut self, key: &Key) {
        self.cluster.edit(key, |pod| set(pod, "spec.nodeName", "n1"));
        self.cluster.run_pod(key, true);
    }

    pub fn end(&mut self, key: &Key, code: i64) {
        let time = raftsman_api::time::seconds(self.cluster.time);
        self.cluster.edit(key, |pod| {
            set(pod, "status.phase", if code == 0 { "Succeeded" } else { "Failed" });
            let state = json!({"terminated": {"exitCode": code, "finishedAt": time}});
            let container = json!({
                "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            });
            set(pod, "status.containerStatuses", json!([container]));
        });
    }

    /// The pod of an index ends.
    pub fn end_index(&mut self, index: &str, code: i64) {
        let of = |key: &&Key| self.cluster.json(key).at("metadata.annotations")[members::INDEX] == index;
        let key = self.active().iter().find(of).cloned().unwrap_or_else(|| panic!("no pod of {index}"));
        self.end(&key, code);
        self.settle();
    }

    /// What ends on its node, ends.
    pub fn let_end(&mut self) {
        for key in self.pods() {
            let pod = self.cluster.json(&key);
            if pod.has("metadata.deletionTimestamp") {
                if !raftsman_api::pod::is_terminal(&pod) {
                    self.end(&key, 143);
                }
                if let Some(pod) = self.cluster.view().get(&key).map(|_| self.cluster.json(&key)) {
                    self.cluster.delete(pod, Some(0), None);
                }
            }
        }
    }

    pub fn status(&self) -> Value {
        self.cluster.json(&self.key).at("status").clone()
    }

    pub fn count(&self, field: &str) -> i64 {
        self.status().int(field).unwrap_or(0)
    }

    /// Types and reasons of conditions that hold.
    pub fn conditions(&self) -> Vec<String> {
        let status = self.status();
        let all = status.list("conditions").iter().filter(|condition| condition.text("status") == "True");
        all.map(|condition| format!("{}:{}", condition.text("type"), condition.text("reason"))).collect()
    }

    pub fn indexes(&self) -> Vec<String> {
        let index =
            |key: &Key| self.cluster.json(key).at("metadata.annotations")[members::INDEX].as_str().unwrap().to_owned();
        let mut all: Vec<String> = self.active().iter().map(index).collect();
        all.sort_unstable();
        all
    }
}

pub(super) const COMPLETE: [&str; 2] = ["SuccessCriteriaMet:CompletionsReached", "Complete:CompletionsReached"];

pub(super) fn failed(reason: &str) -> [String; 2] {
    [format!("FailureTarget:{reason}"), format!("Failed:{reason}")]
}
