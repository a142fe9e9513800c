//! The seam at which a kind is added: one implementation and one line in the registry.

use crate::kind::{Column, KindInfo, Subresource};
use crate::status::Cause;
use serde_json::Value;

/// What a strategy may know of the moment of a request.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The time of the request, RFC 3339 with seconds, UTC: what `creationTimestamp` gets.
    pub now: String,
}

/// An object decoded under a kind's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The object as the kind's type writes it: unknown fields dropped, quantities and times canonical.
    pub object: Value,
    /// Paths of the fields that the kind does not have (`spec.template.spec.foo`).
    pub unknown: Vec<String>,
}

/// How a kind answers a delete without an explicit grace period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionGrace {
    /// Gone at once (unless finalizers hold it).
    Immediate,
    /// Marked, and removed by the node agent after so many seconds (pods).
    Seconds(i64),
}

/// The rules of one kind. Everything is synchronous and pure.
pub trait Strategy: Send + Sync + 'static {
    /// Names and scope.
    fn info(&self) -> &'static KindInfo;

    /// Decodes client JSON. Wrong types are causes with field paths; unknown fields are reported, not refused.
    ///
    /// # Errors
    /// The causes, each with its field path, what was found and what was expected.
    fn decode(&self, json: &Value) -> Result<Decoded, Vec<Cause>>;

    /// Fills in what the client left out, as Kubernetes defaults do. Idempotent.
    fn default(&self, object: &mut Value);

    /// Clears what a client may not set at creation (status, …) and sets what the server sets.
    fn prepare_create(&self, object: &mut Value, moment: &Moment);

    /// The paths that a write to a part changes; `None` when it is not held to some.
    fn writes(&self, part: Option<Subresource>) -> Option<&'static [&'static str]>;

    /// Takes from `old` what this request may not change: the status on the main resource, everything but the status on
    /// `/status`. Counts the generation when the spec moves.
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Option<Subresource>);

    /// What is wrong with a new object. Metadata is validated by the caller.
    fn validate(&self, object: &Value) -> Vec<Cause>;

    /// What is wrong with this change (immutable fields and the like); `object` passed [`Strategy::validate`] too.
    fn validate_update(&self, object: &Value, old: &Value, part: Option<Subresource>) -> Vec<Cause>;

    /// What is valid and yet not what the user may expect: told with the answer to a write.
    fn warnings(&self, object: &Value) -> Vec<String>;

    /// Dependents stay when a delete says nothing of them.
    fn orphans_by_default(&self) -> bool;

    /// A replacement of what is not there creates it.
    fn creates_on_update(&self) -> bool;

    /// Fields that field selectors may name, besides `metadata.name` and `metadata.namespace`.
    fn selectable_fields(&self) -> &'static [&'static str];

    /// The values of the selectable fields.
    fn fields(&self, object: &Value) -> Vec<(&'static str, String)>;

    /// Entries of the store's reverse index (`View::by_index`): name and value. Pods: (`pod-node`, node name).
    fn index(&self, object: &Value) -> Vec<(&'static str, String)>;

    /// Columns of `kubectl get`.
    fn columns(&self) -> &'static [Column];

    /// One row: as many cells as there are columns. `now` is RFC 3339, for ages.
    fn cells(&self, object: &Value, now: &str) -> Vec<Value>;

    /// What a delete without `gracePeriodSeconds` does to this object.
    fn deletion_grace(&self, object: &Value) -> DeletionGrace;
}
