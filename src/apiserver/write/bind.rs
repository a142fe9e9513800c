//! Giving a pod its node.

use super::decode::canonical;
use super::managers;
use super::update::check;
use super::{Api, Caller, Preconditions, Target, WriteOptions};
use crate::unique::Reservations;
use raftsman_api::kind::Subresource;
use raftsman_api::meta;
use raftsman_api::status::Status;
use raftsman_api::value::{At, set};
use raftsman_state::{Object, View};
use serde_json::{Value, json};
use std::sync::Arc;

/// Which node a pod gets (`v1 Binding`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binding {
    /// The node's name.
    pub node: String,
    /// The pod must have this uid.
    pub uid: Option<String>,
    /// Added to the pod's annotations.
    pub annotations: serde_json::Map<String, Value>,
    /// Added to the pod's labels.
    pub labels: serde_json::Map<String, Value>,
}

impl Binding {
    /// To a node, whatever the pod's uid.
    pub fn to(node: impl Into<String>) -> Self {
        Self { node: node.into(), ..Self::default() }
    }

    /// From a client's `v1 Binding`.
    ///
    /// # Errors
    /// 400 and 422 when the target is no node.
    pub fn from_json(json: &Value) -> Result<Self, Status> {
        if !matches!(json.text("kind"), "" | "Binding") {
            return Err(Status::bad_request(format!("the body must be a Binding, not a {}", json.text("kind"))));
        }
        let name = json.text("metadata.name");
        let mut causes = Vec::new();
        if !matches!(json.text("target.kind"), "" | "Node") {
            causes.push(raftsman_api::status::Cause::not_supported(
                "target.kind",
                json.text("target.kind"),
                &["Node", "<empty>"],
            ));
        }
        if json.text("target.name").is_empty() {
            causes.push(raftsman_api::status::Cause::required("target.name", ""));
        }
        if !causes.is_empty() {
            return Err(Status::invalid("", "Binding", name, causes));
        }
        let map = |path: &str| json.map(path).cloned().unwrap_or_default();
        Ok(Self {
            node: json.text("target.name").to_owned(),
            uid: Some(json.text("metadata.uid")).filter(|uid| !uid.is_empty()).map(str::to_owned),
            annotations: map("metadata.annotations"),
            labels: map("metadata.labels"),
        })
    }
}

impl Api {
    /// Binds a pod to a node: sets `spec.nodeName` and the condition `PodScheduled` in one write.
    ///
    /// # Errors
    /// 404, 409 (bound already, being deleted, gated, another uid), and what the store refuses.
    pub async fn bind(
        &self,
        caller: &Caller,
        namespace: &str,
        name: &str,
        binding: &Binding,
        options: &WriteOptions,
    ) -> Result<Arc<Object>, Status> {
        let pods =
            Target::named("", "v1", "pods", namespace, name).ok_or_else(|| Status::internal("pods are not served"))?;
        let moment = Self::moment();
        let preconditions = Preconditions { uid: binding.uid.clone(), resource_version: None };
        let plan = |view: &View| {
            let current = self.current(view, &pods)?;
            check(&preconditions, &current, &pods)?;
            let old = canonical(&pods, &current)?;
            let mut pod = old.clone();
            place(&mut pod, binding, &moment.now).map_err(|why| Status::conflict("", "pods/binding", name, &why))?;
            let binding = pods.part(Subresource::Binding);
            managers::record(&mut pod, Some(&old), &binding, managers::manager(caller, options), &moment.now);
            self.plan_put(&pods, &current, &old, &pod, Reservations::default())
        };
        Ok(self.carry_out(caller, options.dry_run, plan).await?.object)
    }
}

/// The pod on its node, or why it cannot be.
fn place(pod: &mut Value, binding: &Binding, now: &str) -> Result<(), String> {
    let name = meta::name(pod);
    if meta::is_deleting(pod) {
        return Err(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    match pod.text("spec.nodeName") {
        "" => {}
        node => return Err(format!("pod {name} is already assigned to node {node:?}")),
    }
    if !pod.list("spec.schedulingGates").is_empty() {
        return Err(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    set(pod, "spec.nodeName", binding.node.as_str());
    for (path, added) in [("metadata.annotations", &binding.annotations), ("metadata.labels", &binding.labels)] {
        if let Some(map) = raftsman_api::value::ensure(pod, path).filter(|_| !added.is_empty()) {
            map.extend(added.clone());
        }
    }
    for path in ["metadata.annotations", "metadata.labels"] {
        if pod.map(path).is_some_and(serde_json::Map::is_empty) {
            raftsman_api::value::remove(pod, path);
        }
    }
    let mut conditions: Vec<Value> =
        pod.list("status.conditions").iter().filter(|c| c.text("type") != "PodScheduled").cloned().collect();
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
    }));
    set(pod, "status.conditions", conditions);
    // A counter of the spec, as every other change of it.
    if let Some(generation) = pod.int("metadata.generation") {
        set(pod, "metadata.generation", generation.saturating_add(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_free_living_ungated_pod_gets_a_node() {
        let free = json!({ "metadata": { "name": "p", "generation": 1 }, "spec": {}, "status": {} });
        let mut pod = free.clone();
        place(&mut pod, &Binding::to("n1"), "2026-01-01T00:00:00Z").unwrap();
        assert_eq!(pod.text("spec.nodeName"), "n1");
        assert_eq!(pod.text("status.conditions.0.type"), "");
        assert!(meta::condition_is_true(&pod, "PodScheduled"));
        assert!(!pod.has("metadata.annotations"));
        assert!(place(&mut pod, &Binding::to("n2"), "").unwrap_err().contains("already assigned to node \"n1\""));
        for (path, value) in [
            ("metadata.deletionTimestamp", json!("2026-01-01T00:00:00Z")),
            ("spec.schedulingGates", json!([{ "name": "g" }])),
        ] {
            let mut pod = free.clone();
            set(&mut pod, path, value);
            assert!(place(&mut pod, &Binding::to("n1"), "").is_err(), "{path}");
        }
    }
}
