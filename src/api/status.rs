//! Errors as clients read them (`meta/v1 Status`), worded as upstream words them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One reason within an error (`StatusCause`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, `FieldValueForbidden`,
    /// `FieldValueDuplicate`, `FieldValueTypeInvalid`, …
    pub reason: String,
    /// What is wrong, as upstream words it: `Invalid value: "x": must be …`, `Required value: …`.
    pub message: String,
    /// JSON path: `spec.containers[0].image`.
    pub field: String,
}

/// An error answer. `code` is the HTTP status.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason: `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, …
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
    /// `details`, if any: name, group, kind, uid, causes, retryAfterSeconds.
    pub details: Option<Value>,
}

fn details(group: &str, resource: &str, name: &str) -> Option<Value> {
    let mut details = json!({ "name": name, "kind": resource });
    if !group.is_empty() {
        details["group"] = group.into();
    }
    Some(details)
}

fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

impl Status {
    /// Any error without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// 404: `pods "x" not found`.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, resource));
        Self { details: details(group, resource, name), ..Self::new(404, "NotFound", message) }
    }

    /// 409: `pods "x" already exists`.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", qualified(group, resource));
        Self { details: details(group, resource, name), ..Self::new(409, "AlreadyExists", message) }
    }

    /// 409: `Operation cannot be fulfilled on pods "x": why`.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(group, resource));
        Self { details: details(group, resource, name), ..Self::new(409, "Conflict", message) }
    }

    /// 403: `pods "x" is forbidden: why`.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", qualified(group, resource));
        Self { details: details(group, resource, name), ..Self::new(403, "Forbidden", message) }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 410: the revision is compacted.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// 503 with a hint when to come back.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { details: Some(json!({ "retryAfterSeconds": 1 })), ..Self::new(503, "ServiceUnavailable", message) }
    }

    /// 422: `Pod "x" is invalid: spec.y: Required value`.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let texts: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let listed = if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) };
        let message = format!("{} \"{name}\" is invalid: {listed}", qualified(group, kind));
        let mut details = details(group, kind, name);
        if let Some(details) = &mut details {
            details["causes"] = serde_json::to_value(&causes).unwrap_or_default();
        }
        Self { details, ..Self::new(422, "Invalid", message) }
    }

    /// The object that goes over the wire.
    pub fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        // Always there: clients look into it without asking.
        status["details"] = self.details.clone().unwrap_or_else(|| json!({}));
        status
    }
}
