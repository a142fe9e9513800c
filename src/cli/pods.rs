//! From a name on the command line to pods: `web`, `pod/web`, or those behind `deploy/web`.

use crate::connect::{Cluster, Failure};
use crate::resources::{Catalog, Named, parse_arguments, query};
use anyhow::{Context, bail};
use raftsman_api::selector::Selector;
use serde_json::Value;
use std::cmp::Reverse;

/// The path of a pod.
pub fn pod_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{}", crate::resources::escape(name))
}

/// The pods that `POD` or `TYPE/NAME` means; of several the one that serves best is the first, as kubectl chooses.
///
/// # Errors
/// There is none.
pub async fn pods_of(cluster: &Cluster, what: &str) -> anyhow::Result<Vec<Value>> {
    let namespace = cluster.namespace();
    match what.split_once('/') {
        None => return Ok(vec![cluster.read(&pod_path(namespace, what)).await?]),
        Some(("pod" | "pods" | "po", name)) => return Ok(vec![cluster.read(&pod_path(namespace, name)).await?]),
        Some(_) => {}
    }
    let catalog = Catalog::fetch(cluster).await?;
    let asked = parse_arguments(&catalog, &[what.to_owned()])?;
    let Some(named) = asked.first() else { bail!("{what}: names nothing") };
    behind(cluster, named).await.with_context(|| what.to_owned())
}

/// The pods behind the first name.
///
/// # Errors
/// As of [`pods_of`].
pub async fn behind(cluster: &Cluster, named: &Named) -> anyhow::Result<Vec<Value>> {
    let Named { resource, names, .. } = named;
    let name = names.first().map(String::as_str).unwrap_or_default();
    let namespace = named.namespace(cluster);
    let object = cluster.read(&resource.object(namespace, name)).await?;
    if resource.kind == "Pod" {
        return Ok(vec![object]);
    }
    let selector = selector_of(&object).with_context(|| format!("{} select no pods", resource.plural))?;
    let mut found = selected(cluster, namespace, &selector).await?;
    if found.is_empty() {
        bail!("it has no pods yet; `raftsman describe {}/{name}` says why", resource.plural);
    }
    found.sort_by_cached_key(rank);
    Ok(found)
}

/// The pods with these labels.
///
/// # Errors
/// The server's.
pub async fn selected(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<Value>, Failure> {
    let query = query(&[("labelSelector", Some(selector.to_owned()))]);
    let list = cluster.read(&format!("/api/v1/namespaces/{namespace}/pods{query}")).await?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Ready ones that stay come first, then running ones, then those that have a node; the older before the younger.
fn rank(pod: &Value) -> (bool, Reverse<bool>, Reverse<bool>, Reverse<bool>, String) {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let running = pod["status"]["phase"] == "Running";
    let placed = pod["spec"]["nodeName"].is_string();
    let born = pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    (!pod["metadata"]["deletionTimestamp"].is_null(), Reverse(ready), Reverse(running), Reverse(placed), born)
}

/// `spec.selector` as a query, of either form.
pub fn selector_of(object: &Value) -> Option<String> {
    let selector = Selector::from_json(object.pointer("/spec/selector")?).ok()?.to_string();
    Some(selector).filter(|selector| !selector.is_empty())
}

/// The container that is meant when none is named: the annotated one, else the first; it is said if there are several.
pub fn default_container(pod: &Value, quiet: bool) -> Option<String> {
    let names: Vec<&str> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str())
        .collect();
    let marked = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    if let Some(name) = marked.filter(|name| names.contains(name)) {
        return Some(name.to_owned());
    }
    if let [first, _, ..] = &names[..]
        && !quiet
    {
        eprintln!("Defaulted container \"{first}\" out of: {}", names.join(", "));
    }
    names.first().map(|name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connect::fake::{Answer, Fake};
    use serde_json::json;

    #[test]
    fn selectors_of_both_forms() {
        assert_eq!(selector_of(&json!({"spec": {"selector": {"a": "b"}}})).unwrap(), "a=b");
        let labels = json!({"spec": {"selector": {"matchLabels": {"a": "b", "c": "d"}, "matchExpressions": [
            {"key": "e", "operator": "In", "values": ["f", "g"]}, {"key": "h", "operator": "DoesNotExist"}]}}});
        assert_eq!(selector_of(&labels).unwrap(), "a=b,c=d,e in (f,g),!h");
        let set = json!({"spec": {"selector": {"matchExpressions": [{"key": "e", "operator": "Exists"}]}}});
        assert_eq!(selector_of(&set).unwrap(), "e");
        assert_eq!(selector_of(&json!({"spec": {}})), None);
    }

    fn pod(name: &str, phase: &str, ready: &str, ends: bool) -> Value {
        let mut pod = json!({
            "metadata": {"name": name}, "spec": {"nodeName": "n1"},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
        });
        if ends {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        pod
    }

    #[tokio::test]
    async fn a_workload_means_its_pods_and_the_best_is_the_first() {
        let fake = Fake::new();
        let server = fake
            .server(|line| {
                let body = if line.contains("/apis ") || line.ends_with("/apis") {
                    json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "apps"}, "versions": [
                        {"version": "v1", "resources": [{"resource": "deployments", "singularResource": "deployment",
                         "shortNames": ["deploy"], "responseKind": {"kind": "Deployment"}, "scope": "Namespaced"}]}]}]})
                } else if line.contains("/deployments/web") {
                    json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}})
                } else if line.contains("/pods?labelSelector=app%3Dweb") {
                    json!({"items": [pod("starts", "Pending", "False", false), pod("ends", "Running", "True", true),
                                     pod("serves", "Running", "True", false), pod("ails", "Running", "False", false)]})
                } else {
                    json!({"kind": "APIGroupDiscoveryList", "items": []})
                };
                Answer::Json(200, body.to_string())
            })
            .await;
        let cluster = fake.cluster(&[server.address]).await;
        let found = pods_of(&cluster, "deploy/web").await.unwrap();
        let names: Vec<&str> = found.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        assert_eq!(names, ["serves", "ails", "starts", "ends"]);
        assert!(pods_of(&cluster, "nothing/web").await.is_err());
    }
}
