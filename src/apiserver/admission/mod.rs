//! Admission: what the cluster, rather than the kind, has to say of a write. One plugin is one file and one line in
//! [`built_in`].

mod lifecycle;
mod priority;
mod service_account;
mod tolerations;

use crate::auth::UserInfo;
use crate::config::ApiConfig;
use crate::write::Target;
use raftsman_api::status::Status;
use raftsman_state::View;
use serde_json::Value;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Create.
    Create,
    /// Update, patch and apply.
    Update,
    /// Delete.
    Delete,
}

/// A write under review.
pub struct Review<'a> {
    /// The state that the write is planned on.
    pub view: &'a View,
    /// The cluster's configuration.
    pub config: &'a ApiConfig,
    /// Who asks.
    pub user: &'a UserInfo,
    /// What is asked.
    pub operation: Operation,
    /// Of what.
    pub target: &'a Target,
    /// The object, which a plugin may change (not on delete).
    pub object: &'a mut Value,
    /// The object before, but on create.
    pub old: Option<&'a Value>,
}

impl Review<'_> {
    /// A new object of a core kind, not a part of one.
    fn creates(&self, plural: &str) -> bool {
        self.operation == Operation::Create && self.target.is_core(plural) && self.target.part.is_none()
    }
}

/// One plugin.
pub trait Admission: Send + Sync {
    /// Upstream's name for it.
    fn name(&self) -> &'static str;

    /// Changes or refuses the write.
    ///
    /// # Errors
    /// The refusal, as the client reads it.
    fn admit(&self, review: &mut Review<'_>) -> Result<(), Status>;
}

/// The built-in plugins, in order.
pub fn built_in() -> Vec<Box<dyn Admission>> {
    vec![
        Box::new(lifecycle::NamespaceLifecycle),
        Box::new(service_account::ServiceAccount),
        Box::new(tolerations::DefaultTolerationSeconds),
        Box::new(priority::Priority),
    ]
}
