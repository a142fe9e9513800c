//! Watchers of the registers: one at each master, going on at another one from the same revision when theirs is away.

use super::registers::held;
use super::{Context, NAMESPACE, Workload};
use crate::invariants::Seen;
use anyhow::Result;
use async_trait::async_trait;
use futures::StreamExt;
use serde_json::Value;
use std::time::Duration;

/// Bookmarks come more often; a master that is stopped says nothing at all.
const SILENCE: Duration = Duration::from_secs(4);

/// See the module.
pub(super) struct Watchers;

fn path(after: u64) -> String {
    format!(
        "/api/v1/namespaces/{NAMESPACE}/configmaps?labelSelector=chaos%3Dregister&watch=true&allowWatchBookmarks=true\
         &resourceVersion={after}&timeoutSeconds=20"
    )
}

async fn watcher(c: &Context, number: usize) {
    let masters = c.api.names().len();
    let mut at = number;
    let mut after = loop {
        let list = c.api.get(at, &format!("/api/v1/namespaces/{NAMESPACE}/configmaps?limit=1")).await;
        let revision = list.ok().and_then(|list| list["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok());
        match revision {
            Some(revision) => break revision,
            None if c.over() => return,
            None => c.pause(Duration::from_millis(100)).await,
        }
    };
    let watcher = number as u64;
    c.saw(Seen::Watching { watcher, after });
    while !c.closed() {
        match c.api.watch(at, &path(after)).await {
            Ok(mut lines) => {
                while !c.closed() {
                    let Ok(Some(Ok(line))) = tokio::time::timeout(SILENCE, lines.next()).await else { break };
                    let Ok(event) = serde_json::from_str::<Value>(&line) else { break };
                    if event["type"] == "ERROR" {
                        c.note(format!("watcher {number} was told by {}: {}", c.api.name(at), event["object"]));
                        break;
                    }
                    let Some(revision) =
                        event["object"]["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok())
                    else {
                        break;
                    };
                    if let ("ADDED" | "MODIFIED" | "DELETED", Some(key)) =
                        (event["type"].as_str().unwrap_or_default(), event["object"]["metadata"]["name"].as_str())
                    {
                        let value =
                            if event["type"] == "DELETED" { None } else { held(&event["object"]).map(|(v, _)| v) };
                        let (member, key) = (at as u64, key.to_owned());
                        c.saw(Seen::Change { member, revision, key: key.clone(), value });
                        c.saw(Seen::Watched { watcher, member, revision, key, value });
                    }
                    after = revision;
                }
            }
            Err((410, why)) => {
                c.record.lock().broken.push(format!("watcher {number} lost its place at {}: {why}", c.api.name(at)));
                return;
            }
            Err(_) => c.pause(Duration::from_millis(50)).await,
        }
        at = (at + 1) % masters.max(1);
    }
}

#[async_trait]
impl Workload for Watchers {
    fn name(&self) -> &'static str {
        "watchers"
    }

    fn watches(&self) -> bool {
        true
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        futures::future::join_all((0..c.api.names().len()).map(|number| watcher(c, number))).await;
        Ok(())
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
