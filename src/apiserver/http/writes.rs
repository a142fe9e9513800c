//! Writing verbs: bodies and queries into calls of the write path.

use super::answer::{self, Answer, with_warnings};
use super::front::{Asked, Front};
use super::params::propagation;
use super::resources::Verb;
use super::verbs::form;
use super::{intake, render};
use crate::read::Listing;
use crate::write::{
    Api, Binding, Caller, DeleteOptions, PatchKind, Preconditions, Selection, Target, WriteOptions, check_name,
    scale_of,
};
use raftsman_api::kind::Subresource;
use raftsman_api::status::Status;
use raftsman_api::value::At;
use raftsman_state::Object;
use serde_json::{Value, json};
use std::sync::Arc;

fn options(asked: &Asked) -> Result<WriteOptions, Status> {
    let manager = asked.params.text("fieldManager");
    let kind = match asked.method.as_str() {
        "PATCH" => "PatchOptions",
        "PUT" => "UpdateOptions",
        _ => "CreateOptions",
    };
    check_name(manager, kind)?;
    Ok(WriteOptions {
        dry_run: asked.params.dry_run()?,
        validation: asked.params.validation()?,
        manager: (!manager.is_empty()).then(|| manager.to_owned()),
        force: asked.params.flag("force")?.unwrap_or(false),
        ..WriteOptions::default()
    })
}

fn caller(asked: &Asked) -> Caller {
    Caller::client(asked.user.clone(), asked.manager())
}

/// Carries out a write.
///
/// # Errors
/// What [`Api`] refuses, and 400, 405, 415 for bodies and queries.
pub(super) async fn write(
    front: &Arc<Front>,
    verb: Verb,
    target: &Target,
    asked: &Asked,
    body: &[u8],
) -> Result<Answer, Status> {
    match verb {
        Verb::Create => create(front, target, asked, body).await,
        Verb::Update | Verb::Patch => change(front, verb, target, asked, body).await,
        Verb::Delete => delete(front, target, asked, body).await,
        _ => delete_collection(front, target, asked, body).await,
    }
}

async fn create(front: &Arc<Front>, target: &Target, asked: &Asked, body: &[u8]) -> Result<Answer, Status> {
    match target.part {
        None => {}
        Some(Subresource::Binding) => {
            return bind(front, &target.namespace, &target.name, asked, body).await;
        }
        Some(Subresource::Eviction) => return evict(front, target, asked, body).await,
        Some(_) => return Err(not_allowed()),
    }
    if target.info().namespaced && target.namespace.is_empty() {
        return Err(not_allowed());
    }
    let mut options = options(asked)?;
    let json = intake::object(&asked.headers, body, &mut options)?;
    let object = front.api.create(&caller(asked), target, json, &options).await?;
    shown(201, target, &object, asked, &options)
}

async fn change(front: &Arc<Front>, verb: Verb, target: &Target, asked: &Asked, body: &[u8]) -> Result<Answer, Status> {
    let finalizes = target.part == Some(Subresource::Finalize) && verb == Verb::Update;
    let writable =
        matches!(target.part, None | Some(Subresource::Status | Subresource::Scale | Subresource::EphemeralContainers));
    if !writable && !finalizes {
        return Err(not_allowed());
    }
    let mut options = options(asked)?;
    let object = if verb == Verb::Update {
        let json = intake::object(&asked.headers, body, &mut options)?;
        let (object, created) = front.api.replace(&caller(asked), target, json, &options).await?;
        return shown(if created { 201 } else { 200 }, target, &object, asked, &options);
    } else if intake::content_type(&asked.headers) == "application/apply-patch+yaml" {
        let json = intake::yaml(body, &mut options)?;
        let (object, created) = front.api.apply(&caller(asked), target, &json, &options).await?;
        return shown(if created { 201 } else { 200 }, target, &object, asked, &options);
    } else {
        let kind = PatchKind::from_content_type(&intake::content_type(&asked.headers))?;
        let json = intake::json(body, &mut options)?;
        front.api.patch(&caller(asked), target, kind, &json, &options).await?
    };
    shown(200, target, &object, asked, &options)
}

fn shown(code: u16, target: &Target, object: &Object, asked: &Asked, options: &WriteOptions) -> Result<Answer, Status> {
    let form = form(asked)?;
    let answer = if target.part == Some(Subresource::Scale) {
        let value = serde_json::from_slice(&object.json).map_err(|error| Status::internal(error.to_string()))?;
        answer::text(code, form.format, form.pretty, scale_of(&value).to_string().into())
    } else {
        render::object(code, target.kind, object, form, &Api::moment().now)
    };
    Ok(with_warnings(answer, options.warnings.take()))
}

/// Deletion's options, from the body and the query; the query wins where both speak.
fn delete_options(asked: &Asked, body: &[u8]) -> Result<DeleteOptions, Status> {
    let json = if body.iter().all(u8::is_ascii_whitespace) {
        Value::Null
    } else {
        intake::object(&asked.headers, body, &mut WriteOptions::default())?
    };
    if !matches!(json.text("kind"), "" | "DeleteOptions") {
        return Err(Status::bad_request(format!("the body must be DeleteOptions, not a {}", json.text("kind"))));
    }
    let grace = asked.params.number("gracePeriodSeconds")?.or(json.int("gracePeriodSeconds"));
    let given = |field: &str| Some(json.text(field)).filter(|text| !text.is_empty()).map(str::to_owned);
    let policy = match asked.params.propagation()? {
        Some(policy) => Some(policy),
        None => propagation(json.text("propagationPolicy"), json.at("orphanDependents").as_bool())?,
    };
    let dry = json.list("dryRun").iter().any(|value| value.as_str() == Some("All"));
    Ok(DeleteOptions {
        dry_run: asked.params.dry_run()? || dry,
        grace,
        propagation: policy,
        preconditions: Preconditions {
            uid: given("preconditions.uid"),
            resource_version: given("preconditions.resourceVersion"),
        },
    })
}

async fn delete(front: &Arc<Front>, target: &Target, asked: &Asked, body: &[u8]) -> Result<Answer, Status> {
    let options = delete_options(asked, body)?;
    let warnings = deletion_warnings(target, &options);
    let deleted = front.api.delete(&caller(asked), target, &options).await?;
    if !deleted.gone {
        return Ok(with_warnings(shown(200, target, &deleted.object, asked, &WriteOptions::default())?, warnings));
    }
    let info = target.info();
    let mut details = json!({ "name": target.name, "kind": info.plural, "uid": &*deleted.object.meta.uid });
    if !info.group.is_empty() {
        details["group"] = info.group.into();
    }
    Ok(with_warnings(success(200, asked, Some(details))?, warnings))
}

/// Upstream's, of Jobs that leave their pods behind.
fn deletion_warnings(target: &Target, options: &DeleteOptions) -> Vec<String> {
    let warns = target.kind.info().qualified() == "jobs.batch" && options.propagation.is_none();
    let text = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
    warns.then(|| text.to_owned()).into_iter().collect()
}

fn success(code: u16, asked: &Asked, details: Option<Value>) -> Result<Answer, Status> {
    let mut status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" });
    match details {
        Some(details) => status["details"] = details,
        None => status["code"] = code.into(),
    }
    let mut format = form(asked)?.format;
    format.gzip = false;
    Ok(answer::text(code, format, false, status.to_string().into()))
}

async fn delete_collection(front: &Arc<Front>, target: &Target, asked: &Asked, body: &[u8]) -> Result<Answer, Status> {
    let options = delete_options(asked, body)?;
    let selection = Selection {
        labels: asked.params.text("labelSelector").to_owned(),
        fields: asked.params.text("fieldSelector").to_owned(),
    };
    if target.info().namespaced && target.namespace.is_empty() {
        return Err(not_allowed());
    }
    let items = front.api.delete_collection(&caller(asked), target, &selection, &options).await?;
    let revision = front.api.store.view().revision();
    let listing = Listing { items, revision, token: None, remaining: None };
    let answer = render::list(target, listing, form(asked)?, Api::moment().now);
    Ok(with_warnings(answer, deletion_warnings(target, &options)))
}

/// Binds a pod; the name may stand in the body only.
///
/// # Errors
/// What [`Api::bind`] refuses, and 400, 422 for the body.
pub(super) async fn bind(
    front: &Arc<Front>,
    namespace: &str,
    name: &str,
    asked: &Asked,
    body: &[u8],
) -> Result<Answer, Status> {
    let mut options = options(asked)?;
    let json = intake::object(&asked.headers, body, &mut options)?;
    let given = json.text("metadata.name");
    let name = if name.is_empty() { given } else { name };
    if name.is_empty() || !given.is_empty() && given != name {
        return Err(Status::bad_request("the name in the binding must be the pod's"));
    }
    front.api.bind(&caller(asked), namespace, name, &Binding::from_json(&json)?, &options).await?;
    success(201, asked, None)
}

/// Evicts a pod. There are no disruption budgets yet to respect: it is a deletion.
async fn evict(front: &Arc<Front>, target: &Target, asked: &Asked, body: &[u8]) -> Result<Answer, Status> {
    let mut write = options(asked)?;
    let json = intake::object(&asked.headers, body, &mut write)?;
    if !matches!(json.text("kind"), "" | "Eviction") {
        return Err(Status::bad_request(format!("the body must be an Eviction, not a {}", json.text("kind"))));
    }
    let given = json.text("metadata.name");
    if !given.is_empty() && given != target.name {
        return Err(Status::bad_request(format!("name in URL does not match name in Eviction object: {given:?}")));
    }
    let inner = match json.get("deleteOptions") {
        Some(options) => options.to_string(),
        None => String::new(),
    };
    let json_asked = Asked {
        method: asked.method.clone(),
        headers: http::HeaderMap::new(),
        params: asked.params.clone(),
        user: asked.user.clone(),
    };
    let mut options = delete_options(&json_asked, inner.as_bytes())?;
    options.dry_run |= write.dry_run;
    let pods = Target { part: None, ..target.clone() };
    front.api.delete(&caller(asked), &pods, &options).await?;
    success(201, asked, None)
}

fn not_allowed() -> Status {
    Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}
