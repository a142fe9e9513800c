//! A cluster as commands see it.

use crate::connect::error::{ConnectError, Failure, exit_text};
use crate::connect::lines::Lines;
use crate::connect::masters::{Failover, Masters, ServedBy};
use crate::kubeconfig::{Access, Target};
use anyhow::Context;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use std::sync::Arc;

/// Asks the server for a table of what kubectl would print.
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A connection to whichever master answers.
#[derive(Clone)]
pub struct Cluster {
    masters: Arc<Masters>,
    client: Client,
    namespace: String,
}

impl Cluster {
    /// By flags and kubeconfig.
    pub async fn open(target: &Target) -> anyhow::Result<Self> {
        Self::of(&Access::find(target).await?)
    }

    /// By what a kubeconfig said.
    pub fn of(access: &Access) -> anyhow::Result<Self> {
        // A second installation is refused, and the first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let masters = Masters::new(&access.config, &access.servers).context("the kubeconfig's credentials")?;
        let masters = Arc::new(masters);
        let client = Client::new(Failover(Arc::clone(&masters)), access.namespace.clone());
        Ok(Self { masters, client, namespace: access.namespace.clone() })
    }

    /// A kube client that moves on by itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The masters one by one.
    pub fn masters(&self) -> &Masters {
        &self.masters
    }

    /// The namespace of the flag or context.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Sends a request and gives the answer if the server accepted it.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, Failure> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let answer = self.client.send(request.map(Body::from)).await.map_err(|error| broken(&what, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = answer.status();
        let bytes = answer.into_body().collect_bytes().await.map_err(|error| broken(&what, error))?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(status) if status["kind"] == "Status" => Err(Failure::Status(Box::new(status))),
            _ => Err(Failure::Status(Box::new(serde_json::json!({
                "kind": "Status",
                "code": code.as_u16(),
                "message": format!("{what}: {code}: {}", String::from_utf8_lossy(&bytes).trim()),
            })))),
        }
    }

    /// Reads JSON.
    pub async fn get(&self, path: &str, accept: &str) -> Result<Value, Failure> {
        let request = build(Method::GET, path, Some(("accept", accept)), Vec::new())?;
        self.json(request).await
    }

    /// Reads plain JSON.
    pub async fn read(&self, path: &str) -> Result<Value, Failure> {
        self.get(path, "application/json").await
    }

    /// Writes JSON and reads the answer.
    pub async fn write(&self, method: Method, path: &str, kind: &str, body: &Value) -> Result<Value, Failure> {
        let bytes = serde_json::to_vec(body).map_err(|error| odd(path, &error))?;
        self.json(build(method, path, Some(("content-type", kind)), bytes)?).await
    }

    /// A long answer, line by line.
    pub async fn lines(&self, path: &str, accept: &str) -> Result<Lines, Failure> {
        let answer = self.send(build(Method::GET, path, Some(("accept", accept)), Vec::new())?).await?;
        let served = answer.extensions().get::<ServedBy>().copied().unwrap_or(ServedBy(0));
        Ok(Lines::new(answer.into_body(), Arc::clone(&self.masters), served))
    }

    async fn json(&self, request: Request<Vec<u8>>) -> Result<Value, Failure> {
        let what = format!("{} {}", request.method(), request.uri().path());
        // A body may break off after its head was fine: once more, if that does no harm.
        let again = (request.method() == Method::GET).then(|| request.clone());
        let body = self.send(request).await?.into_body();
        let bytes = match (body.collect_bytes().await, again) {
            (Ok(bytes), _) => bytes,
            (Err(_), Some(request)) => {
                let body = self.send(request).await?.into_body();
                body.collect_bytes().await.map_err(|error| broken(&what, error))?
            }
            (Err(error), None) => return Err(broken(&what, error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| odd(&what, &error))
    }
}

fn build(method: Method, path: &str, header: Option<(&str, &str)>, body: Vec<u8>) -> Result<Request<Vec<u8>>, Failure> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    request.body(body).map_err(|error| odd(path, &error))
}

fn odd(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Answer { what: what.to_owned(), reason: error.to_string() }
}

/// Our own errors come back through the client in its wrapping.
fn broken(what: &str, error: kube::Error) -> Failure {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = next {
        if let Some(own) = inner.downcast_ref::<ConnectError>() {
            return Failure::Connect(own.clone());
        }
        next = inner.source();
    }
    Failure::Connect(ConnectError::Unreachable { tried: vec![format!("{what}: {}", exit_text(&error))] })
}
