//! `/raftsman/v1/…`: what a master does for its cluster beside the Kubernetes API. Who carries it out is given to the
//! server; here it is only asked who may.

use super::answer::{self, Answer};
use super::front::{Front, Who};
use super::intake;
use crate::auth::{Attributes, UserInfo, authorize};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request};
use hyper::body::Body as HttpBody;
use raftsman_api::status::Status;
use serde_json::Value;
use std::error::Error;
use std::time::Instant;

/// A request beneath `/raftsman/v1/`.
#[derive(Debug, Clone)]
pub struct Operation {
    /// HTTP method.
    pub method: Method,
    /// What follows `/raftsman/v1/`, segment by segment.
    pub path: Vec<String>,
    /// Who asks; nobody is known where [`Operations::is_open`].
    pub user: Option<UserInfo>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// The body, whole.
    pub body: Bytes,
}

impl Operation {
    /// The path as words to match.
    pub fn words(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }
}

/// What a master does beside the Kubernetes API.
#[async_trait::async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Whoever asks is answered: no certificate is needed for this path. Others need the right to it.
    fn is_open(&self, path: &[&str]) -> bool;

    /// Carries it out: code and body; `None`: there is no such operation.
    ///
    /// # Errors
    /// Why not.
    async fn carry_out(&self, operation: Operation) -> Result<Option<(u16, Value)>, Status>;
}

/// Of a server that does nothing beside the Kubernetes API.
pub struct NoOperations;

#[async_trait::async_trait]
impl Operations for NoOperations {
    fn is_open(&self, _: &[&str]) -> bool {
        false
    }

    async fn carry_out(&self, _: Operation) -> Result<Option<(u16, Value)>, Status> {
        Ok(None)
    }
}

/// Answers a request.
pub(super) async fn handle<B>(front: &Front, path: Vec<String>, who: Who, request: Request<B>) -> Answer
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let begun = Instant::now();
    let verb = request.method().as_str().to_lowercase();
    let answer = match answered(front, path, who, request).await {
        Ok((code, value)) => answer::json(code, &value),
        Err(status) => answer::refusal(&status),
    };
    front.metrics.answered(verb_name(&verb), "", answer.status().as_u16(), Some(begun.elapsed()));
    answer
}

/// Metrics know few verbs, whatever clients send.
fn verb_name(verb: &str) -> &'static str {
    match verb {
        "get" => "get",
        "post" => "create",
        "put" => "update",
        "delete" => "delete",
        _ => "other",
    }
}

async fn answered<B>(front: &Front, path: Vec<String>, who: Who, request: Request<B>) -> Result<(u16, Value), Status>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let user = if front.operations.is_open(&words) {
        None
    } else {
        let user = front.identify(&request, who)?;
        let verb = request.method().as_str().to_lowercase();
        authorize(&user, &Attributes { verb, path: request.uri().path().to_owned(), ..Attributes::default() })?;
        Some(user)
    };
    let text = request.uri().path().to_owned();
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(|token| token.trim().to_owned());
    let method = request.method().clone();
    let body = intake::read(request.into_body()).await?;
    let done = front.operations.carry_out(Operation { method, path, user, bearer, body }).await?;
    done.ok_or_else(|| {
        Status::new(404, "NotFound", format!("the server could not find the requested resource ({text})"))
    })
}
