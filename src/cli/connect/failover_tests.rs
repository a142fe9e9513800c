#![allow(clippy::unwrap_used)]

use super::fake::{Answer, Fake};
use super::*;
use http::Method;
use serde_json::json;

fn ok(text: &str) -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    let text = json!({ "from": text }).to_string();
    move |_| Answer::Json(200, text.clone())
}

/// An address on which nobody listens.
async fn dead() -> std::net::SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_dead_master_is_passed_over_for_reads_and_writes() {
    let fake = Fake::new();
    let second = fake.server(ok("second")).await;
    let cluster = fake.cluster(&[dead().await, second.address]).await;
    let made = cluster.write(Method::POST, "/api/v1/namespaces", "application/json", &json!({})).await.unwrap();
    assert_eq!(made["from"], "second");
    assert_eq!(cluster.read("/version").await.unwrap()["from"], "second");
    assert_eq!(second.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_read_whose_answer_never_came_is_asked_elsewhere_and_a_create_is_not() {
    let fake = Fake::new();
    let first = fake.server(|_| Answer::Nothing).await;
    let second = fake.server(ok("second")).await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    assert_eq!(cluster.read("/version").await.unwrap()["from"], "second");

    let cluster = fake.cluster(&[first.address, second.address]).await;
    let error = cluster.write(Method::POST, "/api/v1/pods", "application/json", &json!({})).await.unwrap_err();
    assert!(matches!(error, Failure::Connect(ConnectError::Unknown { .. })), "{error}");
    assert!(error.to_string().contains("may or may not have been done"), "{error}");
    let posts = |server: &super::fake::Server| {
        server.asked.lock().unwrap().iter().filter(|line| line.starts_with("POST")).count()
    };
    assert_eq!((posts(&first), posts(&second)), (1, 0));
    // And the next request goes elsewhere at once.
    assert_eq!(cluster.read("/version").await.unwrap()["from"], "second");
}

#[tokio::test]
async fn a_master_that_cannot_is_passed_over_and_a_refusal_is_not() {
    let fake = Fake::new();
    let status = |code: u16, reason: &str| {
        json!({"kind": "Status", "code": code, "reason": reason, "message": "no"}).to_string()
    };
    let (unready, refusal) = (status(503, "ServiceUnavailable"), status(404, "NotFound"));
    let first = fake.server(move |_| Answer::Json(503, unready.clone())).await;
    let second = fake.server(move |_| Answer::Json(404, refusal.clone())).await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let error = cluster.read("/api/v1/pods").await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Some(404), "NotFound"));
    assert_eq!(error.to_string(), "Error from server (NotFound): no");
}

#[tokio::test]
async fn when_no_master_answers_each_is_named() {
    let fake = Fake::new();
    let (a, b) = (dead().await, dead().await);
    let error = fake.cluster(&[a, b]).await.read("/version").await.unwrap_err().to_string();
    assert!(error.contains(&a.to_string()) && error.contains(&b.to_string()), "{error}");
    assert!(error.contains("refused") && error.contains("raftsman up"), "{error}");
}

#[tokio::test]
async fn lines_end_in_an_error_when_the_master_dies_or_falls_silent() {
    let fake = Fake::new();
    let first = fake.server(|_| Answer::Broken("a\nb".to_owned())).await;
    let second = fake.server(ok("second")).await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let mut lines = cluster.lines("/watch", "*/*").await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "a\n");
    assert!(lines.next().await.unwrap_err().contains(&first.address.to_string()));
    assert_eq!(cluster.read("/version").await.unwrap()["from"], "second");

    // The connection stays open, but the master no longer answers anything else.
    let silent = fake
        .server(|line| if line.contains("/watch") { Answer::Open("a\n".to_owned()) } else { Answer::Nothing })
        .await;
    let cluster = fake.cluster(&[silent.address, second.address]).await;
    let mut lines = cluster.lines("/watch", "*/*").await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "a\n");
    assert!(lines.next().await.unwrap_err().contains("no longer answers"));
}
