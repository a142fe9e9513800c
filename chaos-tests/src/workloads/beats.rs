//! Something new is asked for whenever the leader was hit: a ReplicaSet of one pod. When that has a node, controllers and
//! scheduler are at work again.

use super::{Context, NAMESPACE, Workload};
use crate::lab::Answer;
use crate::record::{Beat, Span};
use crate::steps::BUSYBOX;
use anyhow::Result;
use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Beats;

fn all() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")
}

fn set(name: &str) -> Value {
    let labels = json!({"app": name});
    let container = json!({"name": "c", "image": BUSYBOX, "command": ["sleep", "100"]});
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
        },
    })
}

/// The leader was hit, and says nothing more: who asks a moment later asks another one.
fn hits(span: &Span) -> bool {
    span.leader && span.silences && span.skipped.is_none()
}

async fn beat(c: &Context, fault: usize, masters: Vec<usize>) {
    let (name, at) = (format!("beat-{fault}"), c.now());
    let mut beat = Beat { fault, at, acknowledged: None, bound: None };
    let mut turns = masters.iter().copied().cycle();
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{name}");
    while let Some(master) = turns.next().filter(|_| beat.bound.is_none() && c.now() < at + PATIENCE) {
        if beat.acknowledged.is_none() {
            if let Answer::Said(201 | 409, _) = c.api.ask(master, Method::POST, &all(), Some(&set(&name))).await {
                beat.acknowledged = Some(c.now());
            }
        } else if let Ok(list) = c.api.get(master, &pods).await {
            let mut items = list["items"].as_array().into_iter().flatten();
            beat.bound = items.any(|pod| pod["spec"]["nodeName"].is_string()).then(|| c.now());
        }
        tokio::time::sleep(EVERY).await;
    }
    c.record.lock().beats.push(beat);
    let (path, options) = (format!("{}/{name}", all()), json!({"propagationPolicy": "Background"}));
    for master in masters {
        if let Answer::Said(200..=404, _) = c.api.ask(master, Method::DELETE, &path, Some(&options)).await {
            return;
        }
    }
}

#[async_trait]
impl Workload for Beats {
    fn name(&self) -> &'static str {
        "beats"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let mut open = tokio::task::JoinSet::new();
        let mut asked = BTreeSet::new();
        while !c.over() {
            let hits: Vec<_> = {
                let record = c.record.lock();
                // Once it has been done: before, the leader that is hit may answer.
                let new = |fault: &usize, span: &Span| hits(span) && span.from > span.begun && !asked.contains(fault);
                let hits = record.spans.iter().enumerate().filter(|(fault, span)| new(fault, span));
                hits.map(|(fault, span)| (fault, span.touch.hosts.clone())).collect()
            };
            for (fault, hosts) in hits {
                asked.insert(fault);
                let others = c.api.names().iter().enumerate().filter(|(_, name)| !hosts.contains(*name));
                let (context, masters) = (c.clone(), others.map(|(at, _)| at).collect());
                open.spawn(async move { beat(&context, fault, masters).await });
            }
            tokio::time::sleep(EVERY).await;
        }
        while open.join_next().await.is_some() {}
        Ok(())
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
