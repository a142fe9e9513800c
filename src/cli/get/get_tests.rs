#![allow(clippy::unwrap_used)]

use crate::connect::fake::{Answer, Fake, catalog};
use crate::get::{GetOptions, run};
use clap::Parser;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: GetOptions,
}

/// How it ended, and what was asked for beside what is served.
async fn asked(line: &str) -> (anyhow::Result<ExitCode>, Vec<String>) {
    let fake = Fake::new();
    let server = fake
        .server(|line| {
            let page = |token: &str| {
                let metadata = json!({"resourceVersion": "5", "continue": token});
                let table =
                    json!({"kind": "Table", "metadata": metadata, "columnDefinitions": [{"name": "Name"}], "rows": []});
                Answer::Json(200, table.to_string())
            };
            let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}).to_string();
            match catalog(line) {
                Some(answer) => answer,
                None if line.contains("continue=third") => Answer::Json(410, gone),
                None if line.contains("continue=second") => page("third"),
                None if line.contains("limit=1") => page("second"),
                None => page(""),
            }
        })
        .await;
    let words = std::iter::once("get").chain(line.split_whitespace());
    let mut options = Line::try_parse_from(words).unwrap().options;
    options.target = fake.target(&[server.address]);
    let code = run(&options).await;
    let asked = server.asked.lock().unwrap();
    (code, asked.iter().filter(|line| catalog(line).is_none()).cloned().collect())
}

#[tokio::test]
async fn lists_come_in_pages_and_begin_again_once_too_old() {
    let pods = "GET /api/v1/namespaces/default/pods";
    for format in ["", " -o name"] {
        let (code, asked) = asked(&format!("pods --chunk-size=1{format}")).await;
        assert_eq!(code.unwrap(), ExitCode::SUCCESS);
        let pages = ["?limit=1", "?limit=1&continue=second", "?limit=1&continue=third", ""];
        assert_eq!(asked, pages.map(|page| format!("{pods}{page}")));
    }
    assert_eq!(asked("pods --chunk-size=0").await.1, [pods]);
    assert_eq!(asked("pods").await.1, [format!("{pods}?limit=500")]);
}

#[tokio::test]
async fn parts_and_paths_are_read_as_they_are_named() {
    let deployments = "GET /apis/apps/v1/namespaces/default/deployments";
    assert_eq!(asked("deployment web --subresource=scale").await.1, [format!("{deployments}/web/scale")]);
    assert!(asked("deployments --subresource=scale").await.0.is_err());
    assert_eq!(asked("--raw /api/v1/nodes?limit=3").await.1, ["GET /api/v1/nodes?limit=3"]);
    assert!(asked("--raw api").await.0.is_err());
    assert!(asked("pods --output-watch-events").await.0.is_err());
}

#[tokio::test]
async fn a_manifest_says_the_namespace_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: other}\n").unwrap();
    let (_, asked) = asked(&format!("-f {} -o name", file.path().display())).await;
    assert_eq!(asked, ["GET /api/v1/namespaces/other/pods/a"]);
}

#[test]
fn what_happened_is_a_column_of_its_own() {
    use crate::get::table::Printer;
    let options = Line::try_parse_from(["get", "pods", "-w", "--output-watch-events"]).unwrap().options;
    let mut printer = Printer::new(&options, &crate::resources::Resource::default(), false);
    let row = json!({"cells": ["web"], "object": {"metadata": {"name": "web"}}});
    let table = json!({"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": [row]});
    printer.add(&table);
    printer.add_event(&table, "DELETED");
    assert_eq!(printer.drain(), "EVENT     NAME\nADDED     web\nDELETED   web\n");
    // A part of an object for which the server has no table.
    let mut printer = Printer::new(&options, &crate::resources::Resource::default(), false);
    printer.add(&json!({"kind": "Scale", "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"}}));
    assert!(printer.finish().contains("ADDED   web    2026-01-01T00:00:00Z"));
}
