//! The failover layer: a request goes to the master that answered last, and on to the next when that one is down.
//!
//! A request that was never sent (no connection) goes on whatever it is. One that was sent and got no answer goes on only if
//! repeating it does no harm; otherwise the caller gets [`ConnectError::Unknown`].

use crate::connect::error::{ConnectError, exit_text};
use crate::connect::unanswered::Unanswered;
use crate::kubeconfig::Access;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
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

/// The header by which a master says who it is: behind a virtual address that is another one from time to time.
pub(super) const MASTER: &str = "raftsman-master";

/// Which master answered; an extension of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedBy(pub usize);

/// All masters that we know.
pub struct Masters {
    /// The kubeconfig's.
    each: Vec<Peer>,
    /// Those that the cluster told of; behind the others, and none is ever taken out.
    learnt: RwLock<Vec<Peer>>,
    /// To reach those.
    config: Config,
    /// They are asked for as time goes by.
    learns: bool,
    /// When we last asked.
    pub(super) looked: Mutex<Option<Instant>>,
    current: AtomicUsize,
    /// Until the head of an answer, whoever gives it.
    limit: Option<Duration>,
}

type Peer = (Uri, Client);

enum Outcome {
    Answer(Response<Body>),
    /// No connection was made.
    NeverSent(String),
    /// It was sent; what became of it is not known.
    Lost(String),
}

impl Masters {
    /// One client per server, all with the same credentials.
    pub fn new(access: &Access) -> Result<Self, kube::Error> {
        let each = access.servers.iter().map(|server| peer(&access.config, server)).collect::<Result<_, _>>()?;
        Ok(Self {
            each,
            learnt: RwLock::default(),
            config: access.config.clone(),
            learns: access.learns,
            looked: Mutex::default(),
            current: AtomicUsize::new(0),
            limit: access.limit,
        })
    }

    /// The URLs of those that the kubeconfig has.
    pub fn servers(&self) -> impl Iterator<Item = &Uri> {
        self.each.iter().map(|(uri, _)| uri)
    }

    /// How many there are, with those that the cluster told of.
    pub fn known(&self) -> usize {
        self.each.len() + self.learnt.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Until the head of an answer.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Others may be asked for.
    pub(super) fn learns(&self) -> bool {
        self.learns
    }

    /// Another one, unless it is known; its place.
    pub(crate) fn add(&self, server: Uri) -> Option<usize> {
        let mut learnt = self.learnt.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.each.iter().chain(learnt.iter());
        if let Some(at) = all.position(|(known, _)| known.authority() == server.authority()) {
            return Some(at);
        }
        match peer(&self.config, &server) {
            Ok(peer) => {
                learnt.push(peer);
                Some(self.each.len() + learnt.len() - 1)
            }
            Err(error) => {
                tracing::debug!(%error, %server, "a master that cannot be reached");
                None
            }
        }
    }

    /// The masters may have changed.
    pub(super) fn look_again(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn peer(&self, at: usize) -> Option<Peer> {
        let learnt = || {
            let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner);
            learnt.get(at.checked_sub(self.each.len())?).cloned()
        };
        self.each.get(at).cloned().or_else(learnt)
    }

    /// The client of one of the kubeconfig's, without failover.
    pub fn client(&self, at: usize) -> Option<&Client> {
        self.each.get(at).map(|(_, client)| client)
    }

    /// The URL of one.
    pub fn name(&self, at: usize) -> String {
        self.peer(at).map(|(uri, _)| uri.to_string().trim_end_matches('/').to_owned()).unwrap_or_default()
    }

    /// The next request goes to another one first.
    pub fn avoid(&self, at: usize) {
        let known = self.known();
        if known > 1 {
            let next = (at + 1) % known;
            // Someone else may have moved on already.
            let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// It answers, whatever it says, and is still the one that said it was `who`.
    pub(super) async fn probe(&self, at: usize, who: Option<&HeaderValue>) -> bool {
        let Some((_, client)) = self.peer(at) else {
            return false;
        };
        let Ok(request) = Request::get("/livez").body(Body::empty()) else {
            return false;
        };
        let Ok(Ok(answer)) = tokio::time::timeout(PROBE, client.send(request)).await else {
            return false;
        };
        who.is_none_or(|who| answer.headers().get(MASTER).is_none_or(|now| now == who))
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
        let Some((_, client)) = self.peer(at) else {
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
        let Some(limit) = self.limit else { return self.send_on(request).await };
        let what = format!("{} {}", request.method(), request.uri().path());
        let late = || Err(Box::new(ConnectError::Late { what, limit }).into());
        tokio::time::timeout(limit, self.send_on(request)).await.unwrap_or_else(|_| late())
    }

    async fn send_on(self: Arc<Self>, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let repeatable = is_repeatable(&parts.method, &parts.headers);
        let mut tried: Vec<String> = Vec::new();
        let mut refusal = None;
        // Where and why an attempt that may have been carried out got no answer.
        let mut lost: Option<(usize, String)> = None;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE * round).await;
            }
            tried.clear();
            let first = self.current.load(Ordering::Relaxed);
            let known = self.known();
            for step in 0..known {
                let at = (first + step) % known;
                match self.try_one(at, &parts, &body, repeatable).await {
                    Outcome::Answer(mut answer) => {
                        answer.extensions_mut().insert(ServedBy(at));
                        // It lives, but cannot: another one may.
                        if repeatable && is_elsewhere(answer.status()) && known > 1 {
                            tried.push(format!("{}: {}", self.name(at), answer.status()));
                            refusal = Some(answer);
                            continue;
                        }
                        if self.current.swap(at, Ordering::Relaxed) != at {
                            self.look_again();
                        }
                        self.learn(at);
                        return match lost {
                            Some(lost) => self.judged(answer, lost, &parts, &body).await,
                            None => Ok(answer),
                        };
                    }
                    Outcome::NeverSent(reason) => tried.push(format!("{}: {reason}", self.name(at))),
                    Outcome::Lost(reason) if repeatable => {
                        tried.push(format!("{}: {reason}", self.name(at)));
                        lost = lost.or(Some((at, reason)));
                    }
                    Outcome::Lost(reason) => {
                        self.avoid(at);
                        return Err(self.unknown(&parts, at, reason));
                    }
                }
            }
        }
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        match (lost.filter(|_| !reads), refusal) {
            // Some master may have done it, whatever the others say.
            (Some((at, reason)), _) => Err(self.unknown(&parts, at, reason)),
            (None, Some(answer)) => Ok(answer),
            (None, None) => Err(Box::new(ConnectError::Unreachable { tried })),
        }
    }

    async fn try_one(&self, at: usize, parts: &http::request::Parts, body: &Bytes, repeatable: bool) -> Outcome {
        let Some((_, client)) = self.peer(at) else {
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

fn peer(config: &Config, server: &Uri) -> Result<Peer, kube::Error> {
    let mut own = config.clone();
    own.cluster_url = server.clone();
    Ok((server.clone(), ClientBuilder::try_from(own)?.build()))
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
