//! Namespace, pods and Service that things are tried with.

use crate::check::capture::capture;
use crate::check::plan::{Ground, Node, Outcome, Probe, client, server};
use crate::connect::Cluster;
use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Node as KubeNode, Pod, Service};
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Name of the Service before all servers.
const SERVICE: &str = "check";
/// How long one try may take, with what the API adds to it.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rules and names spread for a moment after a pod has become ready: what fails is tried again for so long before it counts.
pub(super) const SPREAD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);

/// The nodes that are asked for, or all.
pub(super) async fn nodes(cluster: &Cluster, wanted: &[String]) -> anyhow::Result<Vec<Node>> {
    let all =
        Api::<KubeNode>::all(cluster.client().clone()).list(&ListParams::default()).await.context("list nodes")?;
    let mut nodes: Vec<Node> = all
        .iter()
        .filter_map(|node| Some(Node { name: node.metadata.name.clone()?, problem: problem(node) }))
        .collect();
    if let Some(unknown) = wanted.iter().find(|wanted| nodes.iter().all(|node| node.name != **wanted)) {
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        bail!("there is no node {unknown:?}; there are {}", names.join(", "));
    }
    nodes.retain(|node| wanted.is_empty() || wanted.contains(&node.name));
    Ok(nodes)
}

fn problem(node: &KubeNode) -> Option<String> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!("not ready: {}", ready.message.as_deref().unwrap_or("no message"))),
        None => Some("it never said that it is ready".to_owned()),
    }
}

/// A namespace of our own.
pub(super) struct Bed {
    cluster: Cluster,
    namespace: String,
}

impl Bed {
    /// Makes the namespace.
    pub(super) async fn begin(cluster: &Cluster) -> anyhow::Result<Self> {
        let spec = serde_json::from_value(json!({ "metadata": { "generateName": "raftsman-check-" } }))?;
        let made = Api::<Namespace>::all(cluster.client().clone()).create(&PostParams::default(), &spec).await;
        let namespace = made.context("create a namespace to check in")?.metadata.name.context("a namespace's name")?;
        Ok(Self { cluster: cluster.clone(), namespace })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client().clone(), &self.namespace)
    }

    /// Starts two pods on each node and the Service; waits until all run.
    pub(super) async fn build(&self, nodes: &[&str], image: &str, patience: Duration) -> anyhow::Result<Ground> {
        let services = Api::<Service>::namespaced(self.cluster.client().clone(), &self.namespace);
        let service = json!({
            "metadata": { "name": SERVICE },
            "spec": { "selector": { "app": "server" }, "ports": [{ "port": 8080 }] },
        });
        let service = services.create(&PostParams::default(), &serde_json::from_value(service)?).await;
        let spec = service.context("create a Service")?.spec.unwrap_or_default();
        for node in nodes {
            let serve = "hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp";
            for (name, app, command) in [(server(node), "server", serve), (client(node), "client", "exec sleep 3600")] {
                let pod = serde_json::from_value(pod(node, &name, app, image, command))?;
                self.pods().create(&PostParams::default(), &pod).await.with_context(|| format!("create pod {name}"))?;
            }
        }
        let servers = self.running(nodes, image, patience).await?;
        Ok(Ground { servers, service: spec.cluster_ip.unwrap_or_default(), name: SERVICE.to_owned() })
    }

    /// Waits until all pods are ready; the servers' addresses.
    async fn running(
        &self,
        nodes: &[&str],
        image: &str,
        patience: Duration,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        // From "0": what is there already comes first.
        let mut changes = self.pods().watch(&WatchParams::default(), "0").await.context("watch the pods")?.boxed();
        let mut pods = BTreeMap::new();
        let all = async {
            while let Some(event) = changes.try_next().await? {
                if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) = event {
                    pods.insert(pod.metadata.name.clone().unwrap_or_default(), state(&pod));
                }
                if pods.len() == 2 * nodes.len() && pods.values().all(Result::is_ok) {
                    return anyhow::Ok(());
                }
            }
            bail!("the watch ended")
        };
        let Ok(all) = tokio::time::timeout(patience, all).await else {
            let late: Vec<String> =
                pods.iter().filter_map(|(name, state)| Some(format!("{name}: {}", state.as_ref().err()?))).collect();
            bail!(
                "not all pods started within {} s (image {image}; --image names another, --timeout waits longer):\n  {}",
                patience.as_secs(),
                late.join("\n  ")
            );
        };
        all?;
        let addresses = nodes.iter().map(|node| {
            let address = pods.get(&server(node)).and_then(|state| state.as_ref().ok());
            Ok(((*node).to_owned(), address.cloned().context("a pod's address")?))
        });
        addresses.collect()
    }

    /// Tries one thing until it works, or has had its time.
    pub(super) async fn try_out(&self, probe: &Probe) -> Outcome {
        persist(SPREAD, || self.try_once(probe)).await
    }

    async fn try_once(&self, probe: &Probe) -> Outcome {
        let pods = self.pods();
        let pod = client(&probe.from);
        let said = tokio::time::timeout(PATIENCE, capture(&pods, &pod, &probe.command)).await;
        match said {
            Err(_) => Err(format!("nothing within {} s", PATIENCE.as_secs())),
            Ok(Err(error)) => Err(format!("exec in {pod}: {error:#}")),
            Ok(Ok(said)) if said.starts_with(&probe.expect) => Ok(()),
            Ok(Ok(said)) if said.is_empty() => Err("no answer".to_owned()),
            Ok(Ok(said)) => Err(said),
        }
    }

    /// Has everything removed.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let deleted = Api::<Namespace>::all(self.cluster.client().clone())
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .map(drop);
        let namespace = &self.namespace;
        deleted.with_context(|| format!("remove what was made: `raftsman delete namespace {namespace}` does it"))
    }
}

/// Again and again until it works; no attempt begins after `patience`.
pub(super) async fn persist<F: Future<Output = Outcome>>(patience: Duration, mut once: impl FnMut() -> F) -> Outcome {
    let start = Instant::now();
    loop {
        let outcome = once().await;
        if outcome.is_ok() || start.elapsed() + PAUSE >= patience {
            return outcome;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A pod's address if it is ready; otherwise how far it is.
fn state(pod: &Pod) -> Result<String, String> {
    let status = pod.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
    if ready && let Some(address) = status.pod_ip {
        return Ok(address);
    }
    let waiting = status.container_statuses.iter().flatten().find_map(|it| it.state.clone()?.waiting);
    Err(match waiting {
        Some(waiting) => {
            let message = waiting.message.map(|message| format!(": {message}")).unwrap_or_default();
            format!("{}{message}", waiting.reason.unwrap_or_else(|| "waiting".to_owned()))
        }
        None => status.phase.unwrap_or_else(|| "Pending".to_owned()),
    })
}

fn pod(node: &str, name: &str, app: &str, image: &str, command: &str) -> serde_json::Value {
    let probe = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 1 });
    json!({
        "metadata": { "name": name, "labels": { "app": app } },
        "spec": {
            "nodeName": node,
            "tolerations": [{ "operator": "Exists" }],
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": app,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", command],
                "readinessProbe": if app == "server" { probe } else { serde_json::Value::Null },
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_works_a_moment_later_works() {
        let tries = Cell::new(0);
        let third = || async {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("not yet".to_owned()) } else { Ok(()) }
        };
        assert_eq!(persist(PAUSE * 4, third).await, Ok(()));
        assert_eq!(tries.get(), 3, "and is not tried again");
        let never = || async {
            tries.set(tries.get() + 1);
            Err("no".to_owned())
        };
        assert_eq!(persist(PAUSE * 2, never).await, Err("no".to_owned()));
        assert!(tries.get() > 4, "it was tried once only");
        assert_eq!(persist(Duration::ZERO, never).await, Err("no".to_owned()));
    }
}
