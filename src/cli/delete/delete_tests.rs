#![allow(clippy::unwrap_used)]

use super::*;
use crate::connect::fake::{Answer, Fake, Server, catalog};
use clap::Parser;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: DeleteOptions,
}

fn options(line: &str) -> DeleteOptions {
    Line::try_parse_from(std::iter::once("delete").chain(line.split_whitespace())).unwrap().options
}

fn sent(line: &str) -> Value {
    body(&options(line), None)
}

#[test]
fn grace_and_cascade_are_as_kubectl_sends_them() {
    assert_eq!(sent("pod a")["gracePeriodSeconds"], Value::Null);
    assert_eq!(sent("pod a")["propagationPolicy"], "Background");
    assert_eq!(sent("pod a --grace-period=0")["gracePeriodSeconds"], 1);
    assert_eq!(sent("pod a --grace-period=0 --force")["gracePeriodSeconds"], 0);
    assert_eq!(sent("pod a --force")["gracePeriodSeconds"], 0);
    assert_eq!(sent("pod a --grace-period -1")["gracePeriodSeconds"], Value::Null);
    assert_eq!(sent("pod a --now --cascade=orphan")["gracePeriodSeconds"], 1);
    assert_eq!(sent("rc a --cascade orphan")["propagationPolicy"], "Orphan");
    assert_eq!(sent("rc a --cascade=false")["propagationPolicy"], "Orphan");
    assert_eq!(sent("rc a --dry-run=server")["dryRun"], json!(["All"]));
    assert_eq!(sent("rc a")["dryRun"], Value::Null);
    assert!(!options("pod a --wait=false").wait);
}

#[test]
fn times_are_kubectls_and_bare_numbers_are_seconds() {
    for (flag, seconds) in [("30s", 30), ("1m", 60), ("0", 0), ("0s", 0), ("1m30s", 90), ("5", 5)] {
        assert_eq!(options(&format!("pod a --timeout={flag}")).timeout, Duration::from_secs(seconds), "{flag}");
    }
    assert!(Line::try_parse_from(["delete", "pod", "a", "--timeout=soon"]).is_err());
}

#[test]
fn what_contradicts_itself_is_refused() {
    for line in [
        "",
        "-f a.yaml pod a",
        "-f a.yaml --all",
        "pods --all -l a=b",
        "pods --all --field-selector a=b",
        "pod a --now --grace-period=3",
        "pods --all -A -n x",
    ] {
        assert!(check(&options(line)).is_err(), "{line}");
    }
    for line in ["pods -l a=b --field-selector=c=d", "-f a.yaml -l a=b", "pods --all -A --dry-run"] {
        assert!(check(&options(line)).is_ok(), "{line}");
    }
}

/// Pods, of which only b is in a list; one is gone once it is deleted.
async fn pods(fake: &Fake) -> Server {
    let gone = Mutex::new(BTreeSet::new());
    fake.server(move |line| {
        let list = json!({"items": [{"metadata": {"name": "b", "namespace": "default", "uid": "u-b"}}]});
        let missing = json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"});
        match catalog(line) {
            Some(answer) => answer,
            None if line.starts_with("DELETE") => {
                gone.lock().unwrap().insert(line.replacen("DELETE", "GET", 1));
                Answer::Json(200, json!({"details": {}}).to_string())
            }
            None if line.contains("/pods?") || line.ends_with("/pods") => Answer::Json(200, list.to_string()),
            None if gone.lock().unwrap().contains(line) => Answer::Json(404, missing.to_string()),
            None => Answer::Json(200, json!({"metadata": {"uid": "u"}}).to_string()),
        }
    })
    .await
}

/// A lost answer is asked for again elsewhere: what has taken the name meanwhile stays.
#[tokio::test]
async fn only_the_object_that_was_there_is_deleted() {
    let fake = Fake::new();
    for (line, uid) in [("pods --all", "u-b"), ("pod a", "u")] {
        let server = pods(&fake).await;
        let mut options = options(line);
        options.target = fake.target(&[server.address]);
        assert_eq!(run(&options).await.unwrap(), ExitCode::SUCCESS, "{line}");
        assert_eq!(server.bodies.lock().unwrap()[0]["preconditions"], json!({"uid": uid}), "{line}");
    }
}

/// Where a name has changed hands between the look and the deletion, who named it means the new one, and a list did not.
#[tokio::test]
async fn a_name_that_has_changed_hands() {
    for (listed, deletions) in [(None, 2), (Some("u0"), 1)] {
        let fake = Fake::new();
        let looks = AtomicU32::new(0);
        let deleted = AtomicU32::new(0);
        let server = fake
            .server(move |line| {
                if line.starts_with("GET") {
                    let uid = format!("u{}", looks.fetch_add(1, Ordering::Relaxed) + u32::from(listed.is_some()));
                    return Answer::Json(200, json!({"metadata": {"uid": uid}}).to_string());
                }
                let conflict = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "no"});
                match deleted.fetch_add(1, Ordering::Relaxed) {
                    0 => Answer::Json(409, conflict.to_string()),
                    _ => Answer::Json(200, json!({"details": {}}).to_string()),
                }
            })
            .await;
        let cluster = fake.cluster(&[server.address]).await;
        let sent = |uid: Option<&str>| json!({ "uid": uid });
        let done = one::delete(&cluster, "/api/v1/namespaces/default/pods/a", listed, sent).await;
        match listed {
            None => assert_eq!(done.unwrap().as_deref(), Some("u1")),
            Some(_) => assert_eq!(done.unwrap_err().code(), Some(404)),
        }
        assert_eq!(server.bodies.lock().unwrap().len(), deletions);
    }
}

async fn deleted(line: &str) -> Vec<String> {
    let fake = Fake::new();
    let server = pods(&fake).await;
    let mut options = options(line);
    options.target = fake.target(&[server.address]);
    assert_eq!(run(&options).await.unwrap(), ExitCode::SUCCESS, "{line}");
    let asked = server.asked.lock().unwrap();
    asked.iter().filter(|line| line.starts_with("DELETE") || line.contains("Selector")).cloned().collect()
}

#[tokio::test]
async fn names_and_fields_say_what_goes_and_a_dry_run_deletes_nothing() {
    let one = |name: &str| format!("DELETE /api/v1/namespaces/default/pods/{name}");
    assert_eq!(deleted("pod a c").await, [one("a"), one("c")]);
    let list = "GET /api/v1/namespaces/default/pods?fieldSelector=spec.nodeName%3Dn1".to_owned();
    assert_eq!(deleted("pods --field-selector spec.nodeName=n1").await, [list, one("b")]);
    assert_eq!(deleted("pods --all").await, [one("b")]);
    assert!(deleted("pod a --dry-run=client").await.is_empty());
    assert_eq!(deleted("pod a --dry-run=server").await, [one("a")]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: other, labels: {a: b}}\n---\n\
                    apiVersion: v1\nkind: Pod\nmetadata: {name: z}\n";
    std::fs::write(file.path(), manifest).unwrap();
    let path = file.path().display();
    let other = "DELETE /api/v1/namespaces/other/pods/x".to_owned();
    assert_eq!(deleted(&format!("-f {path}")).await, [other.clone(), one("z")]);
    assert_eq!(deleted(&format!("-f {path} -l a=b")).await, [other]);
}
