//! A client in the same process, for tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::Answer;
use super::front::Front;
use super::metrics::Metrics;
use super::operations::{Operation, Operations};
use crate::auth::{MASTERS, UserInfo};
use crate::config::ApiConfig;
use crate::stream::NodeClients;
use crate::write::{Api, Caller};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use raftsman_api::status::Status;
use raftsman_store::memory::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(super) struct Client {
    pub front: Arc<Front>,
    pub store: Arc<MemoryStore>,
}

pub(super) struct Got {
    pub code: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(super) async fn client() -> Client {
    let store = Arc::new(MemoryStore::default());
    let api = Api::new(store.clone(), ApiConfig::default());
    crate::bootstrap(&api, &Caller::system("system:test", "test")).await.unwrap();
    let front = Front {
        operations: Arc::new(Echo),
        api,
        nodes: Arc::new(NodeClients::plain()),
        metrics: Metrics::default(),
        shutdown: CancellationToken::new(),
        address: "127.0.0.1:6443".to_owned(),
        itself: http::HeaderValue::from_static("127.0.0.1:6443"),
        backup: Some(crate::BackupSource { cluster_id: "c-1".to_owned(), ..crate::BackupSource::default() }),
    };
    Client { front: Arc::new(front), store }
}

pub(super) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

impl Client {
    pub async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let user = UserInfo::new("admin", [MASTERS.to_owned()]);
        self.front.handle(request(method, path, headers, body), Ok(user)).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Got {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { code: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send("GET", path, &[], "").await.json()
    }

    pub async fn config_map(&self, name: &str, label: &str) -> u64 {
        let body = json!({ "metadata": { "name": name, "labels": { "l": label } } });
        let made = self.send("POST", "/api/v1/namespaces/default/configmaps", &[], body.to_string()).await;
        assert_eq!(made.code, 201, "{}", made.json());
        revision(&made.json())
    }

    pub async fn watch(&self, query: &str) -> Lines {
        let answer = self.open("GET", &format!("/api/v1/namespaces/default/configmaps?watch=1&{query}"), &[], "").await;
        assert_eq!(answer.status(), StatusCode::OK);
        Lines { body: answer.into_body(), held: Vec::new() }
    }
}

pub(super) fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

pub(super) fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

/// The lines of a watch.
pub(super) struct Lines {
    body: super::body::Body,
    held: Vec<u8>,
}

impl Lines {
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            self.held.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    pub async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let event = self.next().await.unwrap();
        let got = (event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap_or(""));
        assert_eq!(got, (kind, name), "{event}");
        event["object"].clone()
    }
}

/// Says who asked for what.
struct Echo;

#[async_trait::async_trait]
impl Operations for Echo {
    fn is_open(&self, path: &[&str]) -> bool {
        path == ["open"]
    }

    async fn carry_out(&self, operation: Operation) -> Result<Option<(u16, Value)>, Status> {
        if operation.words() == ["missing"] {
            return Ok(None);
        }
        let user = operation.user.map(|user| user.name);
        Ok(Some((201, json!({ "user": user, "path": operation.path, "bearer": operation.bearer }))))
    }
}
