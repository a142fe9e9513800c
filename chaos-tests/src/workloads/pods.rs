//! Every state that the pods were in, by a watch that goes from master to master.

use super::{Context, NAMESPACE, Workload};
use crate::record::PodChange;
use anyhow::Result;
use async_trait::async_trait;
use futures::StreamExt;
use serde_json::Value;
use std::time::Duration;

const SILENCE: Duration = Duration::from_secs(4);

/// See the module.
pub(super) struct Pods;

fn change(pod: &Value, gone: bool, at: Duration) -> Option<PodChange> {
    let metadata = &pod["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    let restarts = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    Some(PodChange {
        at,
        revision: metadata["resourceVersion"].as_str()?.parse().ok()?,
        name: text(&metadata["name"]),
        uid: text(&metadata["uid"]),
        app: text(&metadata["labels"]["app"]),
        node: text(&pod["spec"]["nodeName"]),
        restarts: restarts.filter_map(|one| one["restartCount"].as_u64()).sum(),
        gone,
        deleting: metadata["deletionTimestamp"].is_string(),
        ready,
        ended: matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")),
    })
}

#[async_trait]
impl Workload for Pods {
    fn name(&self) -> &'static str {
        "pods"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        let mut at = 0;
        let list = c.api.get(at, &pods).await?;
        let now = c.now();
        let known = list["items"].as_array().into_iter().flatten().filter_map(|pod| change(pod, false, now));
        c.record.lock().pods.extend(known);
        let mut after: u64 =
            list["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        while !c.over() {
            let path = format!("{pods}?watch=true&allowWatchBookmarks=true&resourceVersion={after}&timeoutSeconds=30");
            if let Ok(mut lines) = c.api.watch(at, &path).await {
                while !c.over() {
                    let Ok(Some(Ok(line))) = tokio::time::timeout(SILENCE, lines.next()).await else { break };
                    let Ok(event) = serde_json::from_str::<Value>(&line) else { break };
                    let Some(revision) =
                        event["object"]["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok())
                    else {
                        break;
                    };
                    after = revision;
                    if event["type"] != "BOOKMARK" {
                        let change = change(&event["object"], event["type"] == "DELETED", c.now());
                        c.record.lock().pods.extend(change);
                    }
                }
            } else {
                c.pause(Duration::from_millis(100)).await;
            }
            at = (at + 1) % c.api.names().len().max(1);
        }
        Ok(())
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
