//! What a user may do. For now: the group `system:masters` everything, others nothing but look at themselves.

use super::{MASTERS, UserInfo};
use raftsman_api::status::Status;
use serde_json::json;

/// One question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `get`, `list`, `watch`, `create`, …
    pub verb: String,
    /// API group; empty for core.
    pub group: String,
    /// Plural name, with `/subresource` if it is one; empty for paths that are no resource.
    pub resource: String,
    /// Namespace; empty for cluster scope and all namespaces.
    pub namespace: String,
    /// Name; empty for collections.
    pub name: String,
    /// The path, when it is no resource's.
    pub path: String,
}

/// Whether a user may.
///
/// # Errors
/// 403 in upstream's words.
pub fn authorize(user: &UserInfo, asked: &Attributes) -> Result<(), Status> {
    let own_reviews = ["selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"];
    let discovery = asked.resource.is_empty()
        && asked.verb == "get"
        && ["/api", "/apis", "/openapi", "/version"].iter().any(|open| asked.path.starts_with(open));
    if user.is_in(MASTERS) || discovery || own_reviews.contains(&asked.resource.as_str()) {
        return Ok(());
    }
    Err(refusal(user, asked))
}

fn refusal(user: &UserInfo, asked: &Attributes) -> Status {
    if asked.resource.is_empty() {
        let message = format!("forbidden: User {:?} cannot {} path {:?}", user.name, asked.verb, asked.path);
        return Status { details: Some(json!({})), ..Status::new(403, "Forbidden", message) };
    }
    let scope = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", asked.namespace)
    };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {scope}",
        user.name, asked.verb, asked.resource, asked.group
    );
    let mut refusal = Status::forbidden(&asked.group, &asked.resource, &asked.name, &why);
    if asked.name.is_empty() {
        // A collection has no name to quote.
        refusal.message = refusal.message.replacen(" \"\"", "", 1);
    }
    refusal
}
