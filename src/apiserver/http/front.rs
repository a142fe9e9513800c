//! One request: who asks, what for, and who answers it.

use super::answer::{self, Answer};
use super::body::whole;
use super::drain::lend;
use super::metrics::Metrics;
use super::negotiate::{accepted, format};
use super::operations::{self, Operations};
use super::path::{Path, parse};
use super::{Params, backup, discovery, health, openapi, openapi_v2, resources, store_status, version};
use crate::auth::{Attributes, UserInfo, authorize};
use crate::backup::BackupSource;
use crate::stream::NodeClients;
use crate::write::{Api, is_printable};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use hyper::body::Body as HttpBody;
use raftsman_api::status::Status;
use raftsman_state::{View, level};
use raftsman_store::border::StoreStatus;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Who sent a request, or why nobody is known.
pub(crate) type Who = Result<UserInfo, String>;

/// The header that names the master which answers.
const MASTER: HeaderName = HeaderName::from_static("raftsman-master");

/// What answers requests, shared by all connections.
pub(crate) struct Front {
    pub api: Arc<Api>,
    pub nodes: Arc<NodeClients>,
    pub operations: Arc<dyn Operations>,
    pub metrics: Metrics,
    /// Cancelled when the server is to end: watches end, `/readyz` fails.
    pub shutdown: CancellationToken,
    /// `host:port` that clients reach this server by.
    pub address: String,
    /// The same in every answer: behind a virtual address nothing else tells a client that it moved to another master.
    pub itself: HeaderValue,
    /// What backups say about the cluster; `None`: none are made.
    pub backup: Option<BackupSource>,
}

/// What a request is, besides its body.
pub(crate) struct Asked {
    pub method: Method,
    pub headers: HeaderMap,
    pub params: Params,
    pub user: UserInfo,
}

impl Asked {
    /// `fieldManager` when the request names none: the client program's name.
    pub(crate) fn manager(&self) -> String {
        let agent = self.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
        match agent.split('/').next().unwrap_or("") {
            "" => "unknown".to_owned(),
            // A header's text is ASCII: as many bytes.
            program => program.chars().filter(|c| is_printable(*c)).take(128).collect(),
        }
    }
}

impl Front {
    /// Answers a request.
    pub(crate) async fn handle<B>(self: &Arc<Self>, request: Request<B>, who: Who) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let (lent, rest) = lend(&parts.headers, body);
        let mut answer = self.answer(Request::from_parts(parts, lent), who).await;
        rest.drain().await;
        answer.headers_mut().insert(MASTER, self.itself.clone());
        if head { without_body(answer) } else { answer }
    }

    async fn answer<B>(self: &Arc<Self>, request: Request<B>, who: Who) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let path = parse(request.uri().path());
        let params = Params::parse(request.uri().query().unwrap_or(""));
        match &path {
            Path::Health(path) => {
                return health::health(path, params.has("verbose"), &self.checks(path));
            }
            Path::Version => return answer::json(200, &version::version()),
            _ => {}
        }
        if let Path::Operation(path) = path {
            return operations::handle(self, path, who, request).await;
        }
        let user = match self.identify(&request, who) {
            Ok(user) => user,
            Err(status) => return answer::refusal(&status),
        };
        match path {
            Path::Backup => {
                let answer = backup::handle(self, request.method(), &params, &user).await;
                answer.unwrap_or_else(|status| answer::refusal(&status))
            }
            Path::Resource(path) => resources::handle(self, path, params, user, request).await,
            other => {
                let (head, _) = request.into_parts();
                self.handle_path(&other, params, user, head).await.unwrap_or_else(|status| answer::refusal(&status))
            }
        }
    }

    /// The user, unless nobody is known or another is claimed to be.
    pub(super) fn identify<B>(&self, request: &Request<B>, who: Who) -> Result<UserInfo, Status> {
        let user = who.map_err(|why| {
            tracing::debug!(%why, "unauthorized request");
            Status::new(401, "Unauthorized", "Unauthorized")
        })?;
        let claimed = request.headers().keys().any(|name| name.as_str().starts_with("impersonate-"));
        if claimed {
            return Err(Status::new(403, "Forbidden", "impersonation is not supported by this server"));
        }
        Ok(user)
    }

    /// What `/healthz`, `/livez` and `/readyz` look at.
    fn checks(&self, path: &str) -> Vec<health::Check> {
        let mut checks: Vec<health::Check> = vec![("ping", Ok(()))];
        if path.starts_with("readyz") {
            let health = self.api.store.health().borrow().clone();
            let raft = if health.ready { Ok(()) } else { Err(health.reason) };
            checks.push(("raft", raft));
            let ending = self.shutdown.is_cancelled();
            checks.push(("shutdown", if ending { Err("this master is shutting down".to_owned()) } else { Ok(()) }));
        }
        checks
    }

    /// Paths that are no objects.
    async fn handle_path(&self, path: &Path, params: Params, user: UserInfo, head: Parts) -> Result<Answer, Status> {
        let Parts { method, headers, uri, .. } = head;
        let text = uri.path();
        let asked = Attributes { verb: method.as_str().to_lowercase(), path: text.to_owned(), ..Attributes::default() };
        authorize(&user, &asked)?;
        let begun = Instant::now();
        let missing =
            || Status::new(404, "NotFound", format!("the server could not find the requested resource ({text})"));
        if !matches!(method, Method::GET | Method::HEAD) {
            return Err(Status::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ));
        }
        let answer = match path {
            Path::Root => answer::json(200, &roots()),
            Path::Metrics => {
                let text = self.metrics.text() + &self.api.store.metrics();
                answer::bytes(200, "text/plain; version=0.0.4; charset=utf-8", text)
            }
            Path::Core | Path::Groups => {
                let core = *path == Path::Core;
                match aggregated_version(&headers) {
                    Some((version, content_type)) => {
                        cached(&headers, content_type, discovery::aggregated(core, version).to_string())
                    }
                    None if core => given(&headers, &params, &discovery::core_versions(&self.address))?,
                    None => given(&headers, &params, &discovery::group_list())?,
                }
            }
            Path::Group(name) => given(&headers, &params, &discovery::group(name).ok_or_else(missing)?)?,
            Path::GroupVersion(group, version) => {
                given(&headers, &params, &discovery::resource_list(group, version).ok_or_else(missing)?)?
            }
            Path::StoreStatus => {
                let status = store_status::status(&*self.api.store, &params).await?;
                answer::json(200, &master_status(&status, self.api.store.view()))
            }
            Path::OpenApiV2 => openapi_v2::v2(&headers)?,
            Path::OpenApiV3 => openapi::v3_index(&headers),
            Path::OpenApiV3Document(name) => openapi::v3(&headers, name).ok_or_else(missing)?,
            _ => return Err(missing()),
        };
        self.metrics.answered("get", "", answer.status().as_u16(), Some(begun.elapsed()));
        Ok(answer)
    }
}

/// What `HEAD` gets of an answer: over HTTP/2 a body would break the stream.
fn without_body(mut answer: Answer) -> Answer {
    if let Some(length) = answer.body().size_hint().exact() {
        answer.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    *answer.body_mut() = whole(Bytes::new());
    answer
}

/// The store's status, and what this program is.
fn master_status(store: &StoreStatus, view: View) -> Value {
    let mut status = json!(store);
    status["version"] = env!("CARGO_PKG_VERSION").into();
    // As it was said to the others; a master may hold itself back.
    status["level"] = level::member_level(&view, store.member).unwrap_or(level::LEVEL).into();
    status["clusterLevel"] = level::cluster_level(&view).into();
    status["started"] = (*STARTED).into();
    status
}

/// When this process began to serve (milliseconds since 1970).
static STARTED: LazyLock<u64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
});

fn roots() -> Value {
    json!({ "paths": [
        "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3",
        "/raftsman/v1/backup", "/raftsman/v1/status", "/readyz", "/version",
    ]})
}

/// A value in the client's form.
fn given(headers: &HeaderMap, params: &Params, value: &Value) -> Result<Answer, Status> {
    Ok(answer::text(
        200,
        format(headers)?,
        params.has("pretty") && params.text("pretty") != "false",
        value.to_string().into(),
    ))
}

/// The version of aggregated discovery that the client takes before plain JSON.
fn aggregated_version(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    accepted(headers).iter().find_map(|media| {
        let json = media.kind == "application/json";
        match (media.param("as"), media.param("g"), media.param("v")) {
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") if json => {
                Some(Some(("v2", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")))
            }
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") if json => {
                Some(Some(("v2beta1", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")))
            }
            ("", _, _) if json => Some(None),
            _ => None,
        }
    })?
}

/// A hash of a document, as its ETag has it.
pub(crate) fn hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().take(16).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

/// A document that the client may have already.
pub(crate) fn cached(headers: &HeaderMap, content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    let text = text.into();
    let tag = format!("\"{}\"", hash(&text));
    let held = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|held| held == tag);
    let mut answer =
        if held { answer::bytes(304, content_type, Bytes::new()) } else { answer::bytes(200, content_type, text) };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer.headers_mut().insert(http::header::VARY, HeaderValue::from_static("Accept"));
    answer
}
