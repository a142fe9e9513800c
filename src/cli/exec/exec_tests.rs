#![allow(clippy::unwrap_used)]

use super::{ExecOptions, running};
use crate::connect::Cluster;
use crate::connect::fake::{Answer, Fake, catalog};
use clap::Parser;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: ExecOptions,
}

/// The pod that is meant: a deployment's starts with the third look, and `done` has ended.
async fn meant(line: &str) -> anyhow::Result<String> {
    let fake = Fake::new();
    let looks = AtomicUsize::new(0);
    let server = fake
        .server(move |line| {
            let pod = |name: &str, phase: &str| json!({"metadata": {"name": name}, "status": {"phase": phase}});
            let body = if line.contains("/deployments/web") {
                json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}})
            } else if line.contains("/pods?labelSelector=app%3Dweb") {
                let begun = looks.fetch_add(1, Ordering::Relaxed) > 1;
                json!({"items": [pod("web-1", if begun { "Running" } else { "Pending" })]})
            } else {
                pod("done", "Succeeded")
            };
            catalog(line).unwrap_or_else(|| Answer::Json(200, body.to_string()))
        })
        .await;
    let words = std::iter::once("exec").chain(line.split_whitespace());
    let mut options = Line::try_parse_from(words)?.options;
    options.target = fake.target(&[server.address]);
    let pod = running(&Cluster::open(&options.target).await?, &options).await?;
    Ok(format!("{} {}", pod["metadata"]["name"].as_str().unwrap(), pod["status"]["phase"].as_str().unwrap()))
}

#[tokio::test]
async fn a_workload_means_its_pod_once_that_runs() {
    assert_eq!(meant("deployment/web -- date").await.unwrap(), "web-1 Running");
    assert_eq!(meant("deployment/web --pod-running-timeout=0 -- date").await.unwrap(), "web-1 Pending");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n").unwrap();
    assert_eq!(meant(&format!("-f {} -- date", file.path().display())).await.unwrap(), "web-1 Running");
}

#[tokio::test]
async fn a_pod_that_has_ended_runs_no_command() {
    let error = meant("pod/done -- date").await.unwrap_err().to_string();
    assert!(error.contains("completed pod") && error.contains("Succeeded"), "{error}");
    assert!(meant("-- date").await.is_err(), "no pod is named");
}
