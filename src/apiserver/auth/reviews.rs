//! `kubectl auth whoami` and `kubectl auth can-i`: reviews that are answered and never stored.

use super::{Attributes, MASTERS, UserInfo, authorize};
use raftsman_api::status::Status;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

/// Answers a self review of this plural; `None` if it is none.
pub(crate) fn review(plural: &str, user: &UserInfo, body: &Value) -> Option<Result<Value, Status>> {
    let mut answer = body.clone();
    if !answer.is_object() {
        return Some(Err(Status::bad_request("the body must be a JSON object")));
    }
    match plural {
        "selfsubjectreviews" => {
            set(&mut answer, "status.userInfo", json!({ "username": user.name, "groups": user.groups }));
        }
        "selfsubjectaccessreviews" => {
            let resource = match body.text("spec.resourceAttributes.subresource") {
                "" => body.text("spec.resourceAttributes.resource").to_owned(),
                part => format!("{}/{part}", body.text("spec.resourceAttributes.resource")),
            };
            let of = |name: &str| body.text(&format!("spec.resourceAttributes.{name}")).to_owned();
            let asked = if body.has("spec.nonResourceAttributes") {
                let of = |name: &str| body.text(&format!("spec.nonResourceAttributes.{name}")).to_owned();
                Attributes { verb: of("verb"), path: of("path"), ..Attributes::default() }
            } else {
                Attributes {
                    verb: of("verb"),
                    group: of("group"),
                    resource,
                    namespace: of("namespace"),
                    name: of("name"),
                    path: String::new(),
                }
            };
            let status = match authorize(user, &asked) {
                Ok(()) => json!({ "allowed": true }),
                Err(refusal) => json!({ "allowed": false, "reason": refusal.message }),
            };
            set(&mut answer, "status", status);
        }
        "selfsubjectrulesreviews" => {
            let (mut rules, mut paths) = (Vec::new(), Vec::new());
            if user.is_in(MASTERS) {
                rules.push(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }));
                paths.push(json!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
            }
            let status = json!({ "resourceRules": rules, "nonResourceRules": paths, "incomplete": false });
            set(&mut answer, "status", status);
        }
        _ => return None,
    }
    Some(Ok(answer))
}
