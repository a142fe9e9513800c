#![allow(clippy::unwrap_used)]

use super::fake::{Answer, Fake};
use super::*;
use crate::kubeconfig::Target;
use http::Method;
use serde_json::json;
use std::time::Duration;

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

#[tokio::test]
async fn lines_end_in_an_error_when_their_address_has_moved_to_another_master() {
    let fake = Fake::new();
    let moved = fake
        .server(|line| {
            if line.contains("/watch") {
                return Answer::By("m1", Box::new(Answer::Open("a\n".to_owned())));
            }
            Answer::By("m2", Box::new(Answer::Json(200, "{}".to_owned())))
        })
        .await;
    let cluster = fake.cluster(&[moved.address]).await;
    let mut lines = cluster.lines("/watch", "*/*").await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "a\n");
    assert!(lines.next().await.unwrap_err().contains("no longer answers"));
}

/// A server that answers a write's first attempt with nothing.
fn lost() -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    |_| Answer::Nothing
}

#[tokio::test]
async fn a_delete_that_was_done_and_not_answered_is_success() {
    let fake = Fake::new();
    let missing = json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"}).to_string();
    let first = fake.server(lost()).await;
    let second = fake.server(move |_| Answer::Json(404, missing.clone())).await;
    let delete = async |cluster: &Cluster| {
        cluster.write(Method::DELETE, "/api/v1/namespaces/default/pods/a", "application/json", &json!({})).await
    };
    let done = delete(&fake.cluster(&[first.address, second.address]).await).await.unwrap();
    assert_eq!(done["status"], "Success");
    // Who was never asked cannot have done it: nobody of that name was there.
    let never = delete(&fake.cluster(&[dead().await, second.address]).await).await.unwrap_err();
    assert_eq!(never.code(), Some(404));
}

#[tokio::test]
async fn a_delete_of_one_object_is_success_where_another_has_its_name() {
    let fake = Fake::new();
    let first = fake.server(lost()).await;
    let second = fake
        .server(|line| {
            let conflict = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "no"});
            let successor = json!({"metadata": {"name": "a", "uid": "new"}});
            if line.starts_with("GET") {
                Answer::Json(200, successor.to_string())
            } else {
                Answer::Json(409, conflict.to_string())
            }
        })
        .await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let delete = async |uid: &str| {
        let body = json!({"preconditions": {"uid": uid}});
        cluster.masters().avoid(1);
        cluster.write(Method::DELETE, "/api/v1/namespaces/default/pods/a", "application/json", &body).await
    };
    assert_eq!(delete("old").await.unwrap()["status"], "Success");
    // It is there still: something else was in the way.
    let error = delete("new").await.unwrap_err();
    assert!(matches!(error, Failure::Connect(ConnectError::Unknown { .. })), "{error}");
}

#[tokio::test]
async fn a_conflict_with_our_own_change_is_success_and_with_another_the_outcome_is_unknown() {
    let fake = Fake::new();
    let first = fake.server(lost()).await;
    let second = fake
        .server(|line| {
            let conflict = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "no"});
            let object = json!({"metadata": {"name": "a", "resourceVersion": "9"}, "data": {"k": "ours"}});
            if line.starts_with("GET") {
                Answer::Json(200, object.to_string())
            } else {
                Answer::Json(409, conflict.to_string())
            }
        })
        .await;
    let put = async |servers: &[std::net::SocketAddr], value: &str| {
        let body = json!({"metadata": {"name": "a", "resourceVersion": "5"}, "data": {"k": value}});
        let cluster = fake.cluster(servers).await;
        cluster.write(Method::PUT, "/api/v1/namespaces/default/configmaps/a", "application/json", &body).await
    };
    let both = [first.address, second.address];
    assert_eq!(put(&both, "ours").await.unwrap()["metadata"]["resourceVersion"], "9");
    let error = put(&both, "another").await.unwrap_err();
    assert!(matches!(error, Failure::Connect(ConnectError::Unknown { .. })), "{error}");
    let error = put(&[second.address], "ours").await.unwrap_err();
    assert_eq!(error.code(), Some(409), "at the first attempt a conflict is one");
}

#[tokio::test]
async fn nobody_waits_longer_than_asked() {
    let fake = Fake::new();
    for answer in [Answer::Open(String::new()), Answer::Open("{".to_owned())] {
        let server = fake.server(move |_| answer.clone()).await;
        let target = Target { request_timeout: Some(Duration::from_millis(200)), ..fake.target(&[server.address]) };
        let cluster = Cluster::open(&target).await.unwrap();
        let read = tokio::time::timeout(Duration::from_secs(5), cluster.read("/version")).await.unwrap();
        assert!(read.unwrap_err().to_string().contains("--request-timeout"));
    }
}

#[tokio::test]
async fn a_write_that_nobody_answered_may_have_been_done() {
    let fake = Fake::new();
    let first = fake.server(lost()).await;
    let unready = json!({"kind": "Status", "code": 503, "reason": "ServiceUnavailable", "message": "no"}).to_string();
    let second = fake.server(move |_| Answer::Json(503, unready.clone())).await;
    let half = fake.server(|_| Answer::Broken("{".to_owned())).await;
    for servers in [vec![first.address], vec![first.address, second.address], vec![half.address]] {
        let cluster = fake.cluster(&servers).await;
        let error = cluster.write(Method::PUT, "/api/v1/nodes/a", "application/json", &json!({})).await.unwrap_err();
        assert!(matches!(error, Failure::Connect(ConnectError::Unknown { .. })), "{servers:?}: {error}");
    }
}
