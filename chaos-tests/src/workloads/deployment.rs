//! A Deployment that is scaled up and down, and rolled out whenever all of it is there.

use super::{Context, NAMESPACE, Workload, setup};
use crate::lab::Answer;
use crate::record::{Service, Target};
use anyhow::{Result, ensure};
use async_trait::async_trait;
use http::Method;
use rand::Rng;
use serde_json::{Value, json};
use std::time::Duration;

/// Its name.
pub const NAME: &str = "scaled";
/// Longer than a lost node takes to be replaced.
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module.
pub(super) struct Deployment;

fn path() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")
}

fn manifest() -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {NAME}}}
spec:
  replicas: 3
  strategy: {{rollingUpdate: {{maxUnavailable: 1, maxSurge: 1}}}}
  selector: {{matchLabels: {{app: {NAME}}}}}
  template:
    metadata: {{labels: {{app: {NAME}}}}}
    spec:
      terminationGracePeriodSeconds: 3
      containers: [{}]
"#,
        setup::web()
    )
}

/// Exactly so many, all of the newest template, all available.
fn reached(object: &Value, replicas: u32) -> bool {
    let status = &object["status"];
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && object["spec"]["replicas"] == replicas
        && counts.iter().all(|count| status[count].as_u64() == Some(replicas.into()))
}

/// Says it to one master after the other until one has done it; false if it is over.
async fn patch(c: &Context, body: &Value) -> bool {
    let mut at = 0;
    while !c.over() {
        if let Answer::Said(200, _) = c.api.ask(at, Method::PATCH, &path(), Some(body)).await {
            return true;
        }
        at = (at + 1) % c.api.names().len().max(1);
        c.pause(Duration::from_millis(200)).await;
    }
    false
}

async fn settle(c: &Context, replicas: u32) -> Option<Duration> {
    let end = c.now() + PATIENCE;
    let mut at = 0;
    while !c.over() && c.now() < end {
        match c.api.get(at, &path()).await {
            Ok(object) if reached(&object, replicas) => return Some(c.now()),
            Ok(_) => {}
            Err(_) => at = (at + 1) % c.api.names().len().max(1),
        }
        c.pause(Duration::from_millis(300)).await;
    }
    None
}

/// The status says so, and so many pods are there.
async fn exact(c: &Context, replicas: u32) -> Result<()> {
    let object = c.any(&path()).await?;
    ensure!(reached(&object, replicas), "its status is {}", object["status"]);
    let pods = c.any(&format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{NAME}")).await?;
    let going = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_string();
    let all: Vec<&Value> = pods["items"].as_array().into_iter().flatten().filter(|pod| !going(pod)).collect();
    ensure!(all.len() == replicas as usize, "there are {} pods", all.len());
    Ok(())
}

/// One step: known before anybody is told.
async fn step(c: &Context, replicas: u32, rollout: bool, body: &Value) -> bool {
    let target = Target { at: c.now(), replicas, rollout, reached: None };
    c.record.lock().targets.push(target);
    if !patch(c, body).await {
        return false;
    }
    let reached = settle(c, replicas).await;
    if let Some(last) = c.record.lock().targets.last_mut() {
        last.reached = reached;
    }
    if reached.is_none() && !c.over() {
        c.note(format!("Deployment {NAME} was not at {replicas} within {} s", PATIENCE.as_secs()));
    }
    reached.is_some()
}

#[async_trait]
impl Workload for Deployment {
    fn name(&self) -> &'static str {
        "deployment"
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.apply(manifest()).await?;
        c.kubectl(&format!("rollout status deployment/{NAME} --timeout=120s --request-timeout=0")).await?;
        let target = Target { at: Duration::ZERO, replicas: 3, rollout: false, reached: Some(Duration::ZERO) };
        c.record.lock().targets.push(target);
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let mut rng = c.rng(100);
        let mut round = 0;
        while !c.over() {
            let replicas = rng.random_range(2..=6);
            let scaled = step(c, replicas, false, &json!({"spec": {"replicas": replicas}})).await;
            c.pause(Duration::from_secs(2)).await;
            // Only from a whole state does a rollout promise anything.
            if scaled && !c.over() {
                round += 1;
                let annotation = json!({"chaos/round": round.to_string()});
                let template = json!({"spec": {"template": {"metadata": {"annotations": annotation}}}});
                step(c, replicas, true, &template).await;
                c.pause(Duration::from_secs(2)).await;
            }
        }
        Ok(())
    }

    /// It ends with exactly what was asked for last.
    async fn finish(&self, c: &Context) -> Result<()> {
        let Some(replicas) = c.record.lock().targets.last().map(|target| target.replicas) else { return Ok(()) };
        let begun = c.now();
        // Whether the last word reached anybody before it was over, nobody knows.
        let body = json!({"spec": {"replicas": replicas}});
        let said =
            async |at: usize| matches!(c.api.ask(at, Method::PATCH, &path(), Some(&body)).await, Answer::Said(200, _));
        let mut at = 0;
        while !said(at).await && c.now() < begun + PATIENCE {
            at = (at + 1) % c.api.names().len().max(1);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let (what, mut last) = (format!("deployment {NAME} ends with exactly {replicas} pods"), String::new());
        let mut after = None;
        while after.is_none() && c.now() < begun + PATIENCE {
            match exact(c, replicas).await {
                Ok(()) => after = Some(c.now() - begun),
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        c.record.lock().service.push(Service { what, after, last });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reached_is_exactly_that_and_seen_by_the_controller() {
        let object = |observed: u32, ready: u32| {
            json!({"metadata": {"generation": 4}, "spec": {"replicas": 3},
                "status": {"observedGeneration": observed, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready,
                           "availableReplicas": ready}})
        };
        assert!(reached(&object(4, 3), 3));
        assert!(!reached(&object(3, 3), 3) && !reached(&object(4, 2), 3) && !reached(&object(4, 3), 4));
    }
}
