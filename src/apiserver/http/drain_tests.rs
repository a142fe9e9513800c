//! What HTTP/2 is strict about: no body for `HEAD`, and streams that both sides end.
#![allow(clippy::unwrap_used)]

use super::body::{Body, pieces, whole};
use super::client::client;
use super::front::Who;
use crate::auth::{MASTERS, UserInfo};
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A connection to a front that takes its client for this one.
async fn connected(who: Who) -> SendRequest<Body> {
    let front = client().await.front;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let service = service_fn(|request: Request<Incoming>| {
            let (front, who) = (front.clone(), who.clone());
            async move { Ok::<Response<Body>, Infallible>(front.handle(request, who).await) }
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(theirs), service)
            .await
    });
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn admin() -> Who {
    Ok(UserInfo::new("admin", [MASTERS.to_owned()]))
}

#[tokio::test]
async fn head_gets_the_headers_alone() {
    let mut sender = connected(admin()).await;
    for path in ["/readyz", "/version", "/openapi/v2", "/api/v1/namespaces", "/api/v1/namespaces/default"] {
        let mut ask = async |method: &str| {
            let request = Request::builder().method(method).uri(path).body(whole("")).unwrap();
            let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        };
        let (got, body) = ask("GET").await;
        let (head, nothing) = ask("HEAD").await;
        assert_eq!((head.status, nothing.len()), (got.status, 0), "{path}");
        assert_eq!(head.headers.get("content-type"), got.headers.get("content-type"), "{path}");
        if let Some(length) = head.headers.get("content-length") {
            assert_eq!(length.to_str().unwrap(), body.len().to_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_refused_body_is_let_finish() {
    let path = "/api/v1/namespaces/default/configmaps";
    for (who, path, code) in [(Err("none".to_owned()), path, 401), (admin(), "/version2", 405), (admin(), path, 413)] {
        let mut sender = connected(who).await;
        let chunks = 128;
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let body = pieces(stream::iter((0..chunks).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Bytes::from(vec![b' '; 32 * 1024])
        })));
        let request = Request::builder().method("POST").uri(path).body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), sent.load(Ordering::Relaxed)), (code, chunks), "{path}");
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}
