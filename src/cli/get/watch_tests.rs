#![allow(clippy::unwrap_used)]

use crate::connect::fake::{Answer, Fake, Server};
use crate::get::GetOptions;
use crate::get::watch;
use crate::resources::{Named, Resource};
use clap::Parser;
use serde_json::json;
use std::time::Duration;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: GetOptions,
}

fn pods() -> Named {
    let resource = Resource {
        version: "v1".to_owned(),
        plural: "pods".to_owned(),
        singular: "pod".to_owned(),
        kind: "Pod".to_owned(),
        namespaced: true,
        ..Resource::default()
    };
    Named { resource, names: Vec::new(), namespace: None }
}

fn event(kind: &str, version: &str) -> String {
    let row = json!({"cells": ["web"], "object": {"metadata": {"name": "web", "resourceVersion": version}}});
    format!("{}\n", json!({"type": kind, "object": {"kind": "Table", "rows": [row]}}))
}

async fn asked(server: &Server, part: &str) -> String {
    let find = || server.asked.lock().unwrap().iter().find(|line| line.contains(part)).cloned();
    let wait = async {
        loop {
            if let Some(line) = find() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| unreachable!("never asked for {part}"))
}

#[tokio::test]
async fn a_watch_goes_on_at_another_master_from_where_it_was() {
    let fake = Fake::new();
    let list = json!({"kind": "Table", "metadata": {"resourceVersion": "5"}, "columnDefinitions": [{"name": "Name"}], "rows": []});
    let first = fake
        .server(move |line| match (line.contains("watch=true"), line.contains("/pods")) {
            (true, _) => Answer::Broken(event("ADDED", "6") + &event("BOOKMARK", "9")),
            (_, true) => Answer::Json(200, list.to_string()),
            _ => Answer::Nothing,
        })
        .await;
    let second = fake.server(|_| Answer::Open(event("MODIFIED", "12"))).await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let options = Line::try_parse_from(["get", "pods", "-w"]).unwrap().options;
    let task = tokio::spawn(async move { watch::run(&cluster, &options, &pods()).await });
    assert!(asked(&first, "watch=true").await.contains("resourceVersion=5"));
    assert!(asked(&second, "watch=true").await.contains("resourceVersion=9"));
    task.abort();
}

#[tokio::test]
async fn a_version_that_is_too_old_is_listed_again() {
    let fake = Fake::new();
    let gone =
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}});
    let list = |version: &str| json!({"metadata": {"resourceVersion": version}, "columnDefinitions": [{"name": "Name"}], "rows": []});
    let lists = std::sync::Mutex::new(vec![list("50"), list("5")]);
    let server = fake
        .server(move |line| {
            if line.contains("resourceVersion=50") {
                Answer::Open(String::new())
            } else if line.contains("watch=true") {
                Answer::Json(200, format!("{gone}\n"))
            } else {
                Answer::Json(200, lists.lock().unwrap().pop().unwrap_or_default().to_string())
            }
        })
        .await;
    let cluster = fake.cluster(&[server.address]).await;
    let options = Line::try_parse_from(["get", "pods", "-w"]).unwrap().options;
    let task = tokio::spawn(async move { watch::run(&cluster, &options, &pods()).await });
    asked(&server, "resourceVersion=50").await;
    task.abort();
}
