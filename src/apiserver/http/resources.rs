//! Requests for objects: which verb, on what, allowed or not, and how many at once.

use super::answer::{self, Answer};
use super::front::{Asked, Front};
use super::path::ResourcePath;
use super::{Params, intake, verbs, writes};
use crate::auth::{Attributes, UserInfo, authorize, review};
use crate::stream;
use crate::write::{Target, WriteOptions};
use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Body as HttpBody;
use raftsman_api::kind::Subresource;
use raftsman_api::registry;
use raftsman_api::status::Status;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
    Connect,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create | Self::Connect => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

fn not_allowed() -> Status {
    Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}

fn verb(method: &Method, path: &ResourcePath, params: &Params) -> Result<Verb, Status> {
    let named = !path.name.is_empty();
    if matches!(path.part.as_str(), "exec" | "attach" | "portforward") {
        return if matches!(*method, Method::GET | Method::POST) { Ok(Verb::Connect) } else { Err(not_allowed()) };
    }
    let watches = path.watch || params.flag("watch")? == Some(true) && path.part.is_empty();
    match *method {
        Method::GET | Method::HEAD if watches => Ok(Verb::Watch),
        Method::GET | Method::HEAD if named => Ok(Verb::Get),
        Method::GET | Method::HEAD => Ok(Verb::List),
        Method::POST if !named || !path.part.is_empty() => Ok(Verb::Create),
        Method::PUT if named => Ok(Verb::Update),
        Method::PATCH if named => Ok(Verb::Patch),
        Method::DELETE if named && path.part.is_empty() => Ok(Verb::Delete),
        Method::DELETE if !named => Ok(Verb::DeleteCollection),
        _ => Err(not_allowed()),
    }
}

/// Answers a request for objects.
pub(super) async fn handle<B>(
    front: &Arc<Front>,
    path: ResourcePath,
    params: Params,
    user: UserInfo,
    request: Request<B>,
) -> Answer
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let begun = Instant::now();
    let verb = match verb(request.method(), &path, &params) {
        Ok(verb) => verb,
        Err(status) => return answer::refusal(&status),
    };
    let resource = path.plural.clone();
    let long = verb == Verb::Watch || verb == Verb::Connect || path.part == "log";
    let answer = if long {
        dispatch(front, verb, path, params, user, request).await
    } else {
        match front.metrics.admit(front.api.config.in_flight) {
            Some(_held) => dispatch(front, verb, path, params, user, request).await,
            None => Err(overloaded()),
        }
    };
    let answer = answer.unwrap_or_else(|status| answer::refusal(&status));
    let known = registry::all().iter().any(|kind| kind.info().plural == resource);
    let resource = if known { resource.as_str() } else { "other" };
    front.metrics.answered(verb.word(), resource, answer.status().as_u16(), (!long).then(|| begun.elapsed()));
    answer
}

fn overloaded() -> Status {
    Status {
        details: Some(serde_json::json!({ "retryAfterSeconds": 1 })),
        ..Status::new(429, "TooManyRequests", "Too many requests, please try again later.")
    }
}

async fn dispatch<B>(
    front: &Arc<Front>,
    verb: Verb,
    path: ResourcePath,
    params: Params,
    user: UserInfo,
    request: Request<B>,
) -> Result<Answer, Status>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let named_part = if path.part.is_empty() { path.plural.clone() } else { format!("{}/{}", path.plural, path.part) };
    let attributes = Attributes {
        verb: verb.word().to_owned(),
        group: path.group.clone(),
        resource: named_part,
        namespace: path.namespace.clone(),
        name: path.name.clone(),
        path: String::new(),
    };
    authorize(&user, &attributes)?;
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let asked = Asked { method: parts.method, headers: parts.headers, params, user };
    if verb == Verb::Create && path.name.is_empty() {
        if let Some(answer) = special(front, &path, &asked, body).await? {
            return Ok(answer);
        }
        // The body was taken only for what was special.
        return Err(missing());
    }
    let target = target(&path)?;
    match verb {
        Verb::Get if target.part == Some(Subresource::Log) => stream::logs(front, &target, &asked).await,
        Verb::Connect => stream::connect(front, &target, &asked, upgrade).await,
        Verb::Get => verbs::get(front, &target, &asked).await,
        Verb::List => verbs::list(front, &target, &asked).await,
        Verb::Watch => verbs::watch(front, &target, &asked).await,
        Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => {
            writes::write(front, verb, &target, &asked, &intake::read(body).await?).await
        }
    }
}

fn missing() -> Status {
    Status::new(404, "NotFound", "the server could not find the requested resource")
}

/// Creations in a collection: objects, reviews that are answered and not stored, and bindings.
async fn special<B>(front: &Arc<Front>, path: &ResourcePath, asked: &Asked, body: B) -> Result<Option<Answer>, Status>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let reviews = matches!(path.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io");
    if reviews && path.version == "v1" {
        let body = intake::read(body).await?;
        let json = intake::object(&asked.headers, &body, &mut WriteOptions::default())?;
        return match review(&path.plural, &asked.user, &json) {
            Some(answer) => {
                let format = super::negotiate::format(&asked.headers)?;
                Ok(Some(answer::text(201, format, false, answer?.to_string().into())))
            }
            None => Ok(None),
        };
    }
    if path.group.is_empty() && path.plural == "bindings" && !path.namespace.is_empty() {
        let body = intake::read(body).await?;
        return writes::bind(front, &path.namespace, "", asked, &body).await.map(Some);
    }
    let target = target(path)?;
    let body = intake::read(body).await?;
    writes::write(front, Verb::Create, &target, asked, &body).await.map(Some)
}

/// What a path names.
fn target(path: &ResourcePath) -> Result<Target, Status> {
    let kind = registry::by_resource(&path.group, &path.version, &path.plural).ok_or_else(missing)?;
    let info = kind.info();
    if !info.namespaced && !path.namespace.is_empty() || !path.rest.is_empty() {
        return Err(missing());
    }
    if info.namespaced && path.namespace.is_empty() && !path.name.is_empty() {
        return Err(missing());
    }
    let mut target = Target::new(kind, path.namespace.as_str(), path.name.as_str());
    if !path.part.is_empty() {
        let part = info.subresources.iter().copied().find(|part| part.path() == path.part);
        target.part = Some(part.filter(|part| super::discovery::is_served(*part)).ok_or_else(missing)?);
    }
    Ok(target)
}
