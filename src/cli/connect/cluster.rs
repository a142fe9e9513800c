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
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Asks the server for a table of what kubectl would print.
pub const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// A connection to whichever master answers.
#[derive(Clone)]
pub struct Cluster {
    masters: Arc<Masters>,
    client: Client,
    namespace: String,
    /// What servers have warned of, each once.
    warned: Arc<Mutex<BTreeSet<String>>>,
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
        let masters = Masters::new(access).context("the kubeconfig's credentials")?;
        let masters = Arc::new(masters);
        let client = Client::new(Failover(Arc::clone(&masters)), access.namespace.clone());
        Ok(Self { masters, client, namespace: access.namespace.clone(), warned: Arc::default() })
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
        for warning in answer.headers().get_all(http::header::WARNING) {
            self.warn(warning.to_str().unwrap_or_default());
        }
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

    /// Says what a server warns of (`299 - "text"`).
    fn warn(&self, header: &str) {
        let Some(text) = warning(header) else { return };
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            eprintln!("Warning: {text}");
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
        Ok(Lines::new(answer, Arc::clone(&self.masters)))
    }

    /// The whole answer, within the user's patience.
    async fn json(&self, request: Request<Vec<u8>>) -> Result<Value, Failure> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let Some(limit) = self.masters.limit() else { return self.whole(&what, request).await };
        let whole = tokio::time::timeout(limit, self.whole(&what, request)).await;
        whole.unwrap_or_else(|_| Err(ConnectError::Late { what: what.clone(), limit }.into()))
    }

    async fn whole(&self, what: &str, request: Request<Vec<u8>>) -> Result<Value, Failure> {
        // A body may break off after its head was fine: once more, if that does no harm.
        let again = (request.method() == Method::GET).then(|| request.clone());
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let answer = self.send(request).await?;
        let served = answer.extensions().get::<ServedBy>().map_or(0, |served| served.0);
        let bytes = match (answer.into_body().collect_bytes().await, again) {
            (Ok(bytes), _) => bytes,
            (Err(_), Some(request)) => {
                let body = self.send(request).await?.into_body();
                body.collect_bytes().await.map_err(|error| broken(what, error))?
            }
            (Err(error), None) => {
                let (server, reason) = (self.masters.name(served), exit_text(&error));
                return Err(ConnectError::Unknown { server, method, path, reason }.into());
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| odd(what, &error))
    }
}

fn build(method: Method, path: &str, header: Option<(&str, &str)>, body: Vec<u8>) -> Result<Request<Vec<u8>>, Failure> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    request.body(body).map_err(|error| odd(path, &error))
}

/// The text of a `Warning` header that is for people (RFC 7234, code 299).
fn warning(header: &str) -> Option<String> {
    let quoted = header.strip_prefix("299 ")?.split_once(' ')?.1.trim();
    let inner = quoted.strip_prefix('"')?.rsplit_once('"')?.0;
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    Some(text)
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

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn warnings_are_read_from_their_header() {
        assert_eq!(warning(r#"299 - "unknown field \"spec.x\"""#).as_deref(), Some(r#"unknown field "spec.x""#));
        assert_eq!(warning("199 - \"odd\""), None);
        assert_eq!(warning("299"), None);
    }
}
