//! The failover layer: a request goes to the master that answered last, and on to the next when that one is down.
//!
//! A request that was never sent (no connection) goes on whatever it is. One that was sent and got no answer goes on only if
//! repeating it does no harm; otherwise the caller gets [`ConnectError::Unknown`].

use crate::connect::error::{ConnectError, exit_text};
use crate::connect::unanswered::Unanswered;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, Uri};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// How often all masters are tried before we give up.
const ROUNDS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);
/// Until the head of an answer to something that may be repeated.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until the head of an answer to something that may not.
const LONG_PATIENCE: Duration = Duration::from_secs(60);
const PROBE: Duration = Duration::from_secs(2);
/// Until one master's whole answer: longer than it may wait for a leader.
const ONE: Duration = Duration::from_secs(3);

/// Which master answered; an extension of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedBy(pub usize);

/// All masters that we know.
pub struct Masters {
    each: Vec<(Uri, Client)>,
    current: AtomicUsize,
}

enum Outcome {
    Answer(Response<Body>),
    /// No connection was made.
    NeverSent(String),
    /// It was sent; what became of it is not known.
    Lost(String),
}

impl Masters {
    /// One client per server, all with the same credentials.
    pub fn new(config: &Config, servers: &[Uri]) -> Result<Self, kube::Error> {
        let client = |server: &Uri| {
            let mut own = config.clone();
            own.cluster_url = server.clone();
            Ok((server.clone(), ClientBuilder::try_from(own)?.build()))
        };
        Ok(Self { each: servers.iter().map(client).collect::<Result<_, kube::Error>>()?, current: AtomicUsize::new(0) })
    }

    /// Their URLs.
    pub fn servers(&self) -> impl Iterator<Item = &Uri> {
        self.each.iter().map(|(uri, _)| uri)
    }

    /// The client of one, without failover.
    pub fn client(&self, at: usize) -> Option<&Client> {
        self.each.get(at).map(|(_, client)| client)
    }

    /// The URL of one.
    pub fn name(&self, at: usize) -> String {
        self.each.get(at).map(|(uri, _)| uri.to_string().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// The next request goes to another one first.
    pub fn avoid(&self, at: usize) {
        if self.each.len() > 1 {
            let next = (at + 1) % self.each.len();
            // Someone else may have moved on already.
            let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// It answers, whatever it says.
    pub async fn probe(&self, at: usize) -> bool {
        let Some((_, client)) = self.each.get(at) else {
            return false;
        };
        let Ok(request) = Request::get("/livez").body(Body::empty()) else {
            return false;
        };
        tokio::time::timeout(PROBE, client.send(request)).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Reads a path of one, without failover: the code and the body.
    ///
    /// # Errors
    /// Why nothing came back.
    pub async fn ask(&self, at: usize, path: &str) -> Result<(u16, Vec<u8>), Unanswered> {
        let request = Request::get(path).body(Body::empty()).map_err(|error| Unanswered::Other(error.to_string()))?;
        self.tell(at, request).await
    }

    /// Sends a request to one, without failover: the code and the body.
    ///
    /// # Errors
    /// Why nothing came back.
    pub async fn tell(&self, at: usize, request: Request<Body>) -> Result<(u16, Vec<u8>), Unanswered> {
        let Some((_, client)) = self.each.get(at) else {
            return Err(Unanswered::Other("unknown master".to_owned()));
        };
        let answer = async {
            let answer = client.send(request).await.map_err(|error| Unanswered::of(&error))?;
            let code = answer.status().as_u16();
            let body = answer.into_body().collect_bytes().await.map_err(|error| Unanswered::of(&error))?;
            Ok((code, body.to_vec()))
        };
        tokio::time::timeout(ONE, answer).await.unwrap_or(Err(Unanswered::Silent))
    }

    async fn send(self: Arc<Self>, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let repeatable = is_repeatable(&parts.method, &parts.headers);
        let mut tried: Vec<String> = Vec::new();
        let mut refusal = None;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE * round).await;
            }
            tried.clear();
            let first = self.current.load(Ordering::Relaxed);
            for step in 0..self.each.len() {
                let at = (first + step) % self.each.len();
                match self.try_one(at, &parts, &body, repeatable).await {
                    Outcome::Answer(mut answer) => {
                        answer.extensions_mut().insert(ServedBy(at));
                        // It lives, but cannot: another one may.
                        if repeatable && is_elsewhere(answer.status()) && self.each.len() > 1 {
                            tried.push(format!("{}: {}", self.name(at), answer.status()));
                            refusal = Some(answer);
                            continue;
                        }
                        self.current.store(at, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Outcome::NeverSent(reason) => tried.push(format!("{}: {reason}", self.name(at))),
                    Outcome::Lost(reason) if repeatable => tried.push(format!("{}: {reason}", self.name(at))),
                    Outcome::Lost(reason) => {
                        self.avoid(at);
                        return Err(Box::new(ConnectError::Unknown {
                            server: self.name(at),
                            method: parts.method.to_string(),
                            path: parts.uri.path().to_owned(),
                            reason,
                        }));
                    }
                }
            }
        }
        match refusal {
            Some(answer) => Ok(answer),
            None => Err(Box::new(ConnectError::Unreachable { tried })),
        }
    }

    async fn try_one(&self, at: usize, parts: &http::request::Parts, body: &Bytes, repeatable: bool) -> Outcome {
        let Some((_, client)) = self.each.get(at) else {
            return Outcome::NeverSent("unknown master".to_owned());
        };
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        let patience = if repeatable { PATIENCE } else { LONG_PATIENCE };
        match tokio::time::timeout(patience, client.send(request)).await {
            Ok(Ok(answer)) => Outcome::Answer(answer),
            Ok(Err(error)) if never_sent(&error) => Outcome::NeverSent(short(&error)),
            Ok(Err(error)) => Outcome::Lost(short(&error)),
            Err(_) => Outcome::Lost(format!("no answer within {} s", patience.as_secs())),
        }
    }
}

/// Repeating it does no harm. An upgrade (exec) is a GET that does things; a JSON patch may append twice.
fn is_repeatable(method: &Method, headers: &http::HeaderMap) -> bool {
    if headers.contains_key(http::header::UPGRADE) {
        return false;
    }
    match *method {
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE => true,
        Method::PATCH => {
            headers.get(http::header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json-patch+json")
        }
        _ => false,
    }
}

/// This master cannot now; another one may.
fn is_elsewhere(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

/// The connection was never made.
fn never_sent(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|error| error.is_connect()) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The last cause: `Connection refused (os error 111)` rather than five layers above it.
fn short(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    let text = last.to_string();
    if text.is_empty() { exit_text(error) } else { text }
}

/// [`Masters`] as the service below a [`Client`].
#[derive(Clone)]
pub(super) struct Failover(pub(super) Arc<Masters>);

impl Service<Request<Body>> for Failover {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Arc::clone(&self.0).send(request).boxed()
    }
}
