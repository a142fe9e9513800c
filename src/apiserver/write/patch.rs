//! Patches: computed on what the object is, anew whenever another write came first.

use super::create::addressed;
use super::decode::{canonical, decode};
use super::managers::Ownership;
use super::{Api, Caller, Target, WriteOptions, scale};
use raftsman_api::kind::Subresource;
use raftsman_api::schema::Shape;
use raftsman_api::status::Status;
use raftsman_api::{patch, registry};
use raftsman_state::{Object, View};
use serde_json::Value;
use std::sync::Arc;

/// How a patch is to be read, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json` (RFC 6902).
    Json,
    /// `application/merge-patch+json` (RFC 7386).
    Merge,
    /// `application/strategic-merge-patch+json`.
    Strategic,
}

impl PatchKind {
    /// From a content type without its parameters.
    ///
    /// # Errors
    /// 415 for others, with the ones that are read.
    pub fn from_content_type(text: &str) -> Result<Self, Status> {
        match text {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            other => Err(Status::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "the body of the request was in an unknown format ({other}) - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"
                ),
            )),
        }
    }
}

impl Api {
    /// Patches an object or a part of it.
    ///
    /// # Errors
    /// 400, 403, 404, 409 (the patch names a resourceVersion or uid that is not the present one), 415, 422, and what the
    /// store refuses.
    pub async fn patch(
        &self,
        caller: &Caller,
        target: &Target,
        kind: PatchKind,
        body: &Value,
        options: &WriteOptions,
    ) -> Result<Arc<Object>, Status> {
        let moment = Self::moment();
        let plan = |view: &View| {
            let current = self.current(view, target)?;
            let old = canonical(target, &current)?;
            let new = if target.part == Some(Subresource::Scale) {
                let scaled = patched(target, kind, &scale::scale_of(&old), body)?;
                scale::applied(&old, &scaled)?
            } else {
                let new = patched(target, kind, &old, body)?;
                addressed(target, decode(target, &new, options)?)?
            };
            self.plan_update(view, caller, target, &current, &old, new, &moment, options, Ownership::Changes)
        };
        Ok(self.carry_out(caller, options.dry_run, plan).await?.object)
    }
}

fn patched(target: &Target, kind: PatchKind, old: &Value, body: &Value) -> Result<Value, Status> {
    let definitions = registry::definitions();
    let shape = match target.part {
        Some(Subresource::Scale) => definitions.by_name("io.k8s.api.autoscaling.v1.Scale").unwrap_or(&Shape::Any),
        _ => registry::shape(target.info()),
    };
    let result = match kind {
        PatchKind::Json => patch::json(old, body),
        PatchKind::Merge => patch::merge(old, body),
        PatchKind::Strategic => patch::strategic(definitions, shape, old, body),
    };
    result.map_err(|error| match error.code {
        400 => Status::bad_request(error.message),
        413 => Status::new(413, "RequestEntityTooLarge", error.message),
        code => Status::new(code, "Invalid", error.message),
    })
}
