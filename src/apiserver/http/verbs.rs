//! Reading verbs.

use super::answer::{self, Answer};
use super::front::{Asked, Front};
use super::negotiate::format;
use super::render::{self, Form};
use super::table::Include;
use super::watch;
use crate::read::{self, Filter, ListQuery, wait_for};
use crate::write::{Api, Target, scale_of, store_error};
use raftsman_api::kind::Subresource;
use raftsman_api::status::Status;
use std::sync::Arc;

/// The form that a request asks for.
///
/// # Errors
/// 406.
pub(super) fn form(asked: &Asked) -> Result<Form, Status> {
    let pretty = asked.params.flag("pretty")?.unwrap_or(false);
    let include = Include::parse(asked.params.text("includeObject"));
    Ok(Form { format: format(&asked.headers)?, include, pretty })
}

/// One object or a part of it.
///
/// # Errors
/// 404, 406, and what the store refuses.
pub(super) async fn get(front: &Arc<Front>, target: &Target, asked: &Asked) -> Result<Answer, Status> {
    let form = form(asked)?;
    let store = &front.api.store;
    let view = match asked.params.text("resourceVersion") {
        "" => store.read().await.map_err(|error| store_error(&error))?,
        "0" => store.view(),
        text => {
            let revision = text
                .parse()
                .map_err(|_| Status::bad_request(format!("invalid resource version {text:?}: it must be a number")))?;
            wait_for(&**store, revision).await?
        }
    };
    let info = target.info();
    let object = view.get(&target.key()).ok_or_else(|| Status::not_found(info.group, info.plural, &target.name))?;
    match target.part {
        None | Some(Subresource::Status | Subresource::EphemeralContainers) => {
            Ok(render::object(200, target.kind, object, form, &Api::moment().now))
        }
        Some(Subresource::Scale) => {
            let value = serde_json::from_slice(&object.json).map_err(|error| Status::internal(error.to_string()))?;
            Ok(answer::text(200, form.format, form.pretty, scale_of(&value).to_string().into()))
        }
        Some(_) => {
            Err(Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"))
        }
    }
}

/// The selection of a list, watch or deletion of a collection.
///
/// # Errors
/// 400.
fn filter(target: &Target, asked: &Asked) -> Result<Filter, Status> {
    let mut fields = asked.params.text("fieldSelector").to_owned();
    if !target.name.is_empty() {
        let name = format!("metadata.name={}", target.name);
        fields = if fields.is_empty() { name } else { format!("{fields},{name}") };
    }
    Filter::parse(target.kind, asked.params.text("labelSelector"), &fields)
}

/// A page of a collection.
///
/// # Errors
/// 400, 406, 410, 422, 504, and what the store refuses.
pub(super) async fn list(front: &Arc<Front>, target: &Target, asked: &Asked) -> Result<Answer, Status> {
    let form = form(asked)?;
    let filter = filter(target, asked)?;
    let limit = asked.params.number("limit")?.unwrap_or(0);
    let query = ListQuery {
        limit: usize::try_from(limit).unwrap_or(0),
        token: asked.params.text("continue").to_owned(),
        resource_version: asked.params.text("resourceVersion").to_owned(),
        matching: asked.params.text("resourceVersionMatch").to_owned(),
    };
    match read::list(&*front.api.store, target, &filter, &query).await {
        Ok(listing) => Ok(render::list(target, listing, form, Api::moment().now)),
        Err(refused) => Ok(answer::refusal_with(&refused.status, &refused.metadata)),
    }
}

/// A watch of a collection or of one object.
///
/// # Errors
/// 400, 406, 422, 504, and what the store refuses.
pub(super) async fn watch(front: &Arc<Front>, target: &Target, asked: &Asked) -> Result<Answer, Status> {
    let mut form = form(asked)?;
    // Events are lines of JSON, whatever else the client takes.
    form.format.yaml = false;
    let filter = filter(target, asked)?;
    let mut collection = target.clone();
    collection.name.clear();
    watch::watch(front, &collection, &asked.params, filter, form).await
}
