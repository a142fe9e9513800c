#![allow(clippy::unwrap_used)]

use crate::connect::fake::{Answer, Fake};
use crate::logs::{LogsOptions, run};
use clap::Parser;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: LogsOptions,
}

/// How it ended, and which logs were asked for: two pods with two containers each, of which b's cannot be read.
async fn asked(line: &str) -> (anyhow::Result<ExitCode>, Vec<String>) {
    let fake = Fake::new();
    let server = fake
        .server(|line| {
            let pod = |name: &str| {
                json!({
                    "metadata": {"name": name, "namespace": "default"}, "status": {"phase": "Running"},
                    "spec": {"containers": [{"name": "c"}, {"name": "d"}], "initContainers": [{"name": "i"}]},
                })
            };
            let refused = json!({"kind": "Status", "code": 400, "reason": "BadRequest", "message": "no log"});
            if line.contains("/pods/b/log") {
                Answer::Json(400, refused.to_string())
            } else if line.contains("/log") {
                Answer::Json(200, "line\n".to_owned())
            } else if line.contains("/pods?") {
                Answer::Json(200, json!({"items": [pod("b"), pod("a")]}).to_string())
            } else {
                Answer::Json(200, pod("a").to_string())
            }
        })
        .await;
    let words = std::iter::once("logs").chain(line.split_whitespace());
    let mut options = Line::try_parse_from(words).unwrap().options;
    options.target = fake.target(&[server.address]);
    let code = run(&options).await;
    let prefix = "GET /api/v1/namespaces/default/pods/";
    let logs = server.asked.lock().unwrap();
    let logs = logs.iter().filter(|line| line.contains("/log")).map(|line| line.trim_start_matches(prefix).to_owned());
    (code, logs.collect())
}

#[tokio::test]
async fn with_a_selector_the_last_ten_lines_of_each() {
    let (code, logs) = asked("-l app=web --ignore-errors").await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    assert_eq!(logs, ["b/log?container=c&tailLines=10", "a/log?container=c&tailLines=10"]);
    assert_eq!(asked("-l app=web --ignore-errors --tail=-1").await.1, ["b/log?container=c", "a/log?container=c"]);
    assert_eq!(asked("a").await.1, ["a/log?container=c"]);
}

#[tokio::test]
async fn an_error_ends_it_unless_errors_are_ignored() {
    let (code, logs) = asked("-l app=web").await;
    assert!(format!("{:#}", code.unwrap_err()).contains("no log"));
    assert_eq!(logs.len(), 1);
}

#[tokio::test]
async fn not_more_are_followed_than_are_allowed() {
    let error = asked("-l app=web -f --all-containers").await.0.unwrap_err().to_string();
    assert!(error.contains("6 log streams") && error.contains("is 5"), "{error}");
    assert!(asked("-l app=web -f --all-containers --max-log-requests=6 --ignore-errors").await.0.is_ok());
}

#[tokio::test]
async fn what_is_asked_for_reaches_the_server() {
    let all = asked("a --all-containers --since=1m30s --timestamps --previous").await.1;
    let one = |container: &str| format!("a/log?container={container}&previous=true&timestamps=true&sinceSeconds=90");
    assert_eq!(all, [one("i"), one("c"), one("d")]);
    assert_eq!(asked("a d --since=500ms --limit-bytes=7").await.1, ["a/log?container=d&sinceSeconds=1&limitBytes=7"]);
    assert_eq!(
        asked("a --since-time=2026-01-01T00:00:00Z").await.1,
        ["a/log?container=c&sinceTime=2026-01-01T00%3A00%3A00Z"]
    );
    assert!(asked("a --since=1m --since-time=2026-01-01T00:00:00Z").await.0.is_err());
    assert!(asked("a -c none").await.0.is_err());
}
