//! Full service: what must work again once everything was healed, and after how long it did.

use crate::lab::Answer;
use crate::record::Service;
use crate::workloads::{Context, NAMESPACE, page};
use anyhow::{Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than what is promised, so that a late one is told from one that never comes.
const PATIENCE: Duration = Duration::from_secs(75);

/// One thing that must work.
enum Thing {
    Ready(usize),
    Write(usize),
    Nodes,
    Available(&'static str, &'static str, &'static str, u64),
    Web(&'static str),
}

impl Thing {
    fn words(&self, c: &Context) -> String {
        match self {
            Self::Ready(at) => format!("{} is ready", c.api.name(*at)),
            Self::Write(at) => format!("a write through {}", c.api.name(*at)),
            Self::Nodes => "all nodes are ready".to_owned(),
            Self::Available(kind, name, ..) => format!("{kind} {name} is whole"),
            Self::Web(node) => format!("the web answers through {node}"),
        }
    }

    async fn works(&self, c: &Context) -> Result<()> {
        match self {
            Self::Ready(at) => c.api.get(*at, "/readyz").await.map(drop),
            Self::Write(at) => {
                let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/service");
                let body = json!({"data": {"n": c.now().as_millis().to_string()}});
                match c.api.ask(*at, Method::PATCH, &path, Some(&body)).await {
                    Answer::Said(200, _) => Ok(()),
                    other => bail!("{}", other.words()),
                }
            }
            Self::Nodes => {
                let list = c.any("/api/v1/nodes").await?;
                let nodes: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
                ensure!(nodes.len() >= c.cluster.nodes().len(), "there are {} nodes", nodes.len());
                for node in nodes {
                    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
                    let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
                    ensure!(ready, "node {} is not ready", node["metadata"]["name"]);
                    ensure!(
                        node["spec"]["taints"].as_array().is_none_or(Vec::is_empty),
                        "{} is tainted",
                        node["metadata"]["name"]
                    );
                }
                Ok(())
            }
            Self::Available(kind, name, field, count) => {
                let object = c.any(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}s/{name}")).await?;
                let is = object["status"][field].as_u64().unwrap_or(0);
                ensure!(is == *count, "{field} is {is}, not {count}");
                Ok(())
            }
            Self::Web(node) => page(&c.web(node)?).await,
        }
    }
}

/// Asks for all of it, each until it works.
pub async fn full(c: &Context) {
    let masters = 0..c.api.names().len();
    let mut things: Vec<Thing> = masters.clone().map(Thing::Ready).chain(masters.map(Thing::Write)).collect();
    things.push(Thing::Nodes);
    things.push(Thing::Available("deployment", "web", "availableReplicas", 3));
    things.push(Thing::Available("statefulset", "member", "readyReplicas", 3));
    things.extend(c.cluster.nodes().map(Thing::Web));
    let begun = c.now();
    let wait = |thing: Thing| async move {
        loop {
            let last = match thing.works(c).await {
                Ok(()) => {
                    let after = Some(c.now().saturating_sub(begun));
                    return Service { what: thing.words(c), after, last: String::new() };
                }
                Err(error) => format!("{error:#}"),
            };
            if c.now() > begun + PATIENCE {
                return Service { what: thing.words(c), after: None, last };
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let all = futures::future::join_all(things.into_iter().map(wait)).await;
    c.record.lock().service.extend(all);
}
