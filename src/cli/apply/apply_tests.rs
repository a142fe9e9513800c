#![allow(clippy::unwrap_used)]

use super::command::{ApplyOptions, run};
use crate::connect::fake::{Answer, Fake, Server, catalog};
use clap::Parser;
use serde_json::json;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: ApplyOptions,
}

const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: z}}\n---\n\
                        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";

/// Whether it went well, and what was written.
async fn applied(fake: &Fake, server: &Server, flags: &str) -> (anyhow::Result<ExitCode>, Vec<String>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), MANIFEST).unwrap();
    let line = format!("apply -f {} {flags}", file.path().display());
    let mut options = Line::try_parse_from(line.split_whitespace()).unwrap().options;
    options.target = fake.target(&[server.address]);
    let code = run(&options).await;
    let asked = server.asked.lock().unwrap().iter().filter(|line| !line.starts_with("GET")).cloned().collect();
    (code, asked)
}

/// A is there, b is not.
async fn server(fake: &Fake) -> Server {
    fake.server(|line| {
        let missing = json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"});
        match catalog(line) {
            Some(answer) => answer,
            None if line.starts_with("GET") && line.ends_with("/b") => Answer::Json(404, missing.to_string()),
            None => Answer::Json(200, json!({"metadata": {"name": "a", "uid": "u"}}).to_string()),
        }
    })
    .await
}

#[tokio::test]
async fn flags_reach_the_server() {
    let fake = Fake::new();
    let maps = "/api/v1/namespaces/default/configmaps";
    let asked = async |flags: &str| applied(&fake, &server(&fake).await, flags).await.1;
    let parameters = |validate: &str| format!("?fieldManager=raftsman-apply&fieldValidation={validate}");
    let (patch, post) = (format!("PATCH {maps}/a"), format!("POST {maps}"));
    assert_eq!(asked("").await, [patch.clone() + &parameters("Strict"), post + &parameters("Strict")]);
    assert_eq!(asked("-l x=z --validate=false").await, [patch + &parameters("Ignore")]);
    let forced = asked("-l x=z --server-side --force-conflicts --field-manager=me").await;
    assert_eq!(forced, [format!("PATCH {maps}/a?fieldManager=me&fieldValidation=Strict&force=true")]);
    assert!(asked("--dry-run=client").await.is_empty());
    assert!(asked("--dry-run").await.is_empty(), "kubectl's old form is the client's");
    assert!(asked("--dry-run=server").await.iter().all(|line| line.ends_with("&dryRun=All")));
}

#[tokio::test]
async fn what_is_not_known_is_refused_with_what_to_do() {
    let fake = Fake::new();
    let server = server(&fake).await;
    for (flags, part) in [
        ("-k dir", "kustomize build dir"),
        ("-f https://x/y.yaml", "curl"),
        ("--prune", "delete -l"),
        ("--force-conflicts", "--server-side"),
        ("--server-side --dry-run=client", "--dry-run=server"),
        ("--server-side --force", "--server-side"),
    ] {
        let (code, asked) = applied(&fake, &server, flags).await;
        let error = code.unwrap_err().to_string();
        assert!(error.contains(part) && asked.is_empty(), "{flags}: {error}");
    }
}

#[tokio::test]
async fn an_immutable_field_is_changed_by_force_only() {
    let fake = Fake::new();
    let gone = AtomicBool::new(false);
    let server = fake
        .server(move |line| {
            let status = |code: u16, reason: &str| {
                Answer::Json(
                    code,
                    json!({"kind": "Status", "code": code, "reason": reason, "message": "no"}).to_string(),
                )
            };
            let object = || Answer::Json(200, json!({"metadata": {"name": "a", "uid": "u"}}).to_string());
            match line.split(' ').next().unwrap() {
                _ if catalog(line).is_some() => catalog(line).unwrap(),
                "PATCH" => status(422, "Invalid"),
                "DELETE" => {
                    gone.store(true, Ordering::Relaxed);
                    object()
                }
                "GET" if gone.load(Ordering::Relaxed) => status(404, "NotFound"),
                _ => object(),
            }
        })
        .await;
    let (code, asked) = applied(&fake, &server, "-l x=z").await;
    assert_eq!((code.unwrap(), asked.len()), (ExitCode::FAILURE, 1));
    let (code, asked) = applied(&fake, &server, "-l x=z --force").await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    let verbs: Vec<&str> = asked[1..].iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(verbs, ["PATCH", "DELETE", "POST"]);
    let bodies = server.bodies.lock().unwrap();
    let uids: Vec<&str> = bodies.iter().filter_map(|body| body["preconditions"]["uid"].as_str()).collect();
    assert_eq!(uids, ["u"], "no successor of the object is deleted");
}
