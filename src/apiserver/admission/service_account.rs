//! Every pod runs as a service account.

use super::{Admission, Review};
use raftsman_api::status::Status;
use raftsman_api::value::{At, set};
use raftsman_state::{Key, Resource};

/// Upstream's `ServiceAccount`, without the volume that holds a token.
pub(super) struct ServiceAccount;

impl Admission for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn admit(&self, review: &mut Review<'_>) -> Result<(), Status> {
        if !review.creates("pods") {
            return Ok(());
        }
        if review.object.text("spec.serviceAccountName").is_empty() {
            // A new namespace's own account is made by a controller within moments: a pod need not wait for it.
            set(review.object, "spec.serviceAccountName", "default");
        }
        let name = review.object.text("spec.serviceAccountName").to_owned();
        set(review.object, "spec.serviceAccount", name.as_str());
        let namespace = &review.target.namespace;
        let key = Key::new(&Resource::from("serviceaccounts"), namespace, &name);
        if name == "default" || review.view.get(&key).is_some() {
            return Ok(());
        }
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        Err(Status::forbidden("", "pods", &review.target.name, &why))
    }
}
