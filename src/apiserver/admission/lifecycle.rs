//! Namespaces: nothing begins in one that is missing or ending, and some never end.

use super::{Admission, Operation, Review};
use raftsman_api::status::Status;
use raftsman_state::{Key, Resource};
use serde_json::json;

/// Upstream's `NamespaceLifecycle`.
pub(super) struct NamespaceLifecycle;

const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

impl Admission for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn admit(&self, review: &mut Review<'_>) -> Result<(), Status> {
        let target = review.target;
        let info = target.info();
        match review.operation {
            Operation::Delete if target.is_core("namespaces") && IMMORTAL.contains(&target.name.as_str()) => {
                Err(Status::forbidden("", "namespaces", &target.name, "this namespace may not be deleted"))
            }
            Operation::Create if info.namespaced => {
                let key = Key::new(&Resource::from("namespaces"), "", &target.namespace);
                let Some(namespace) = review.view.get(&key) else {
                    return Err(Status::not_found("", "namespaces", &target.namespace));
                };
                if !namespace.meta.deleting {
                    return Ok(());
                }
                let why = format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    target.namespace
                );
                let mut refusal = Status::forbidden(info.group, info.plural, &target.name, &why);
                if let Some(details) = &mut refusal.details {
                    details["causes"] = json!([{
                        "reason": "NamespaceTerminating",
                        "message": format!("namespace {} is being terminated", target.namespace),
                        "field": "metadata.namespace",
                    }]);
                }
                Err(refusal)
            }
            _ => Ok(()),
        }
    }
}
