//! Carries out what nodes report, through the one write path.

use crate::nodes::feed::POD_NODE;
use crate::nodes::merge;
use raftsman_api::kind::Subresource;
use raftsman_api::status::Status;
use raftsman_apiserver::write::{Api, Caller, DeleteOptions, Target, WriteOptions};
use raftsman_controllers::{EventSource, EventType, ExecuteError, Executor, Note, ObjectRef, record_event};
use raftsman_proto::v1::{Answer, EventReport, NodeReport, PodAdmission, PodGone, PodReport};
use raftsman_state::{Key, Meta, Resource};
use serde_json::Value;
use std::sync::Arc;

use crate::duties::ApiExecutor;

/// Tries to record one Event that others count at the same time.
const EVENT_TRIES: usize = 4;

/// Writes on behalf of one node.
#[derive(Clone)]
pub struct Reports {
    api: Arc<Api>,
    caller: Caller,
    node: String,
}

impl Reports {
    /// Reports of this node.
    pub fn new(api: Arc<Api>, node: &str) -> Self {
        let caller = Caller::system(format!("system:node:{node}"), "kubelet");
        Self { api, caller, node: node.to_owned() }
    }

    /// A pod's status.
    pub async fn pod(&self, report: PodReport) -> Answer {
        let result = self.pod_status(&report).await;
        answer(report.sequence, result)
    }

    async fn pod_status(&self, report: &PodReport) -> Result<(), Refusal> {
        let reported: Value = serde_json::from_slice(&report.status)
            .map_err(|e| Refusal::Other(format!("status of pod {}/{}: {e}", report.namespace, report.name)))?;
        let target = pod_target(&report.namespace, &report.name)?.part(Subresource::Status);
        let mut other = false;
        let modified = self.api.modify(&self.caller, &target, |pod| {
            let merged =
                merge::pod_status(pod, &report.uid, &reported).filter(|_| pod["spec"]["nodeName"] == *self.node);
            other = merged.is_none();
            merged.filter(|merged| merged["status"] != pod["status"])
        });
        modified.await?;
        if other { Err(Refusal::Gone) } else { Ok(()) }
    }

    /// A leader's word that a fenced pod is its node's own: a write, so that it is ordered with every other one.
    pub async fn admit(&self, admission: PodAdmission) -> Answer {
        let result = self.admitted(&admission).await;
        answer(admission.sequence, result)
    }

    async fn admitted(&self, admission: &PodAdmission) -> Result<(), Refusal> {
        let target = pod_target(&admission.namespace, &admission.name)?.part(Subresource::Status);
        let mut other = false;
        let modified = self.api.modify(&self.caller, &target, |pod| {
            let own = pod["metadata"]["uid"] == *admission.uid && pod["spec"]["nodeName"] == *self.node;
            other = !own;
            let admitted = own.then(|| merge::admitted(pod, &admission.promise, jiff::Timestamp::now()));
            admitted.filter(|admitted| admitted != pod)
        });
        modified.await?;
        if other { Err(Refusal::Gone) } else { Ok(()) }
    }

    /// A deleting pod of which nothing is left.
    pub async fn gone(&self, report: PodGone) -> Answer {
        let result = self.remove(&report).await;
        answer(report.sequence, result)
    }

    async fn remove(&self, report: &PodGone) -> Result<(), Refusal> {
        let target = pod_target(&report.namespace, &report.name)?;
        // A node ends its own pods only, and only those that are to end.
        let key = Key::new(&Resource::from("pods"), &report.namespace, &report.name);
        let view = self.api.store().view();
        let here = |meta: &Meta| meta.index.iter().any(|(i, v)| &**i == POD_NODE && **v == *self.node);
        match view.get(&key) {
            Some(pod) if *pod.meta.uid != *report.uid || !here(&pod.meta) => return Err(Refusal::Gone),
            Some(pod) if !pod.meta.deleting => {
                let name = format!("{}/{}", report.namespace, report.name);
                return Err(Refusal::Other(format!("pod {name} is not being deleted: it stays")));
            }
            _ => {}
        }
        match self.api.delete(&self.caller, &target, &DeleteOptions::now(&report.uid)).await {
            Ok(_) => Ok(()),
            Err(status) if status.reason == "Conflict" => Err(Refusal::Gone),
            Err(status) => Err(status.into()),
        }
    }

    /// The node's own object: made if absent, else merged.
    ///
    /// # Errors
    /// What the API refused.
    pub async fn node(&self, report: &NodeReport) -> Result<(), Status> {
        let reported: Value = serde_json::from_slice(&report.json)
            .map_err(|e| Status::bad_request(format!("report of node {}: {e}", self.node)))?;
        let target = target("", "nodes", "", &self.node)?;
        let options = WriteOptions::default();
        let changed = self.api.modify(&self.caller, &target, |node| {
            let merged = merge::node_metadata(node, &reported);
            (merged != *node).then_some(merged)
        });
        match changed.await {
            Err(status) if status.code == 404 => {
                match self.api.create(&self.caller, &target.named_as(""), reported.clone(), &options).await {
                    Err(status) if status.reason == "AlreadyExists" => {}
                    result => drop(result?),
                }
            }
            result => drop(result?),
        }
        let status = target.part(Subresource::Status);
        let changed = self.api.modify(&self.caller, &status, |node| {
            let merged = merge::node_status(node, &reported);
            (merged["status"] != node["status"]).then_some(merged)
        });
        changed.await.map(drop)
    }

    /// An Event, counted if it is a repeated one.
    pub async fn event(&self, report: EventReport) {
        let regarding: Value = match serde_json::from_slice(&report.regarding) {
            Ok(value) => value,
            Err(error) => return tracing::warn!(node = self.node, %error, "an Event that cannot be read"),
        };
        let text = |field: &str| regarding[field].as_str().unwrap_or_default().to_owned();
        let (api_version, resource) = match text("kind").as_str() {
            "Node" => ("v1", "nodes"),
            _ => ("v1", "pods"),
        };
        let note = Note {
            regarding: ObjectRef {
                key: Key::new(&Resource::from(resource), &text("namespace"), &text("name")),
                api_version,
                kind: if resource == "nodes" { "Node" } else { "Pod" },
                uid: text("uid").into(),
            },
            kind: if report.r#type == "Warning" { EventType::Warning } else { EventType::Normal },
            reason: report.reason.into(),
            message: report.message,
        };
        let executor = ApiExecutor::new(self.api.clone(), None);
        let source = EventSource { component: "kubelet", host: Some(&self.node) };
        for _ in 0..EVENT_TRIES {
            let view = self.api.store().view();
            let action = record_event(&view, &note, source, jiff::Timestamp::now());
            match executor.execute("kubelet", &action).await {
                Err(ExecuteError::Conflict(_) | ExecuteError::AlreadyExists(_)) => {}
                Err(error) => return tracing::debug!(node = self.node, %error, "an Event was not recorded"),
                Ok(()) => return,
            }
        }
    }
}

/// Why a report was not carried out.
enum Refusal {
    /// The pod is gone, or is another one by that name.
    Gone,
    /// Anything else: the node tries again.
    Other(String),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        if status.code == 404 { Self::Gone } else { Self::Other(status.message) }
    }
}

fn answer(sequence: u64, result: Result<(), Refusal>) -> Answer {
    match result {
        Ok(()) => Answer { sequence, error: String::new(), gone: false },
        Err(Refusal::Gone) => Answer { sequence, error: String::new(), gone: true },
        Err(Refusal::Other(error)) => Answer { sequence, error, gone: false },
    }
}

fn pod_target(namespace: &str, name: &str) -> Result<Target, Refusal> {
    Ok(target("", "pods", namespace, name)?)
}

fn target(group: &str, plural: &str, namespace: &str, name: &str) -> Result<Target, Status> {
    Target::named(group, "v1", plural, namespace, name)
        .ok_or_else(|| Status::internal(format!("{plural} are not served")))
}
