//! A built-in kind: what is special about it, and the rules that all built-in kinds share.

use crate::kind::{Column, Decoded, DeletionGrace, KindInfo, Moment, Strategy, Subresource};
use crate::metadata;
use crate::registry;
use crate::schema;
use crate::status::Cause;
use crate::value::{At, copy, remove, set, set_default};
use k8s_openapi::schemars::JsonSchema;
use k8s_openapi::{ListableResource, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::marker::PhantomData;

/// What one built-in kind has of its own. Each is one file and one line in [`crate::registry`].
pub trait Kind: Send + Sync + 'static {
    /// Its type.
    type Object: DeserializeOwned + JsonSchema + ListableResource + 'static;
    /// Names and scope.
    const INFO: KindInfo;
    /// Columns of `kubectl get`.
    const COLUMNS: &'static [Column];
    /// Dotted paths that field selectors may name.
    const SELECTABLE: &'static [&'static str] = &[];
    /// Labels and annotations may change through `/status`, as upstream lets agents do on pods and nodes.
    const STATUS_WRITES_METADATA: bool = false;

    /// A create may carry a status (nodes that register themselves).
    const CREATES_STATUS: bool = false;

    /// Dependents stay when a delete says nothing of them: kinds older than the garbage collector.
    const ORPHANS_BY_DEFAULT: bool = false;

    /// A replacement of what is not there creates it (upstream `AllowCreateOnUpdate`).
    const CREATES_ON_UPDATE: bool = false;

    /// Fills in defaults.
    fn default(_object: &mut Value) {}

    /// What the server sets or clears at creation, beyond status and generation.
    fn prepare_create(_object: &mut Value) {}

    /// What an update takes from the old object, beyond the split of status and generation.
    fn prepare_update(_object: &mut Value, _old: &Value, _part: Option<Subresource>) {}

    /// What is wrong with an object.
    fn validate(object: &Self::Object) -> Vec<Cause>;

    /// What is wrong with a change.
    fn validate_update(_object: &Self::Object, _old: &Self::Object, _part: Option<Subresource>) -> Vec<Cause> {
        Vec::new()
    }

    /// What is valid and yet not what the user may expect.
    fn warnings(_object: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The value of a selectable field.
    fn field(object: &Value, path: &'static str) -> String {
        shown(object.at(path))
    }

    /// Entries of the reverse index.
    fn index(_object: &Value) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// One row of the table.
    fn cells(object: &Value, now: &str) -> Vec<Value>;

    /// What a delete without a grace period does.
    fn deletion_grace(_object: &Value) -> DeletionGrace {
        DeletionGrace::Immediate
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The object in its type.
///
/// # Errors
/// The field that does not fit, with its path.
pub fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, Vec<Cause>> {
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(object, &mut track);
    T::deserialize(tracked).map_err(|error| {
        let message = format!("Invalid value: {error}");
        vec![Cause { reason: "FieldValueTypeInvalid".to_owned(), message, field: track.path().to_string() }]
    })
}

/// The [`Strategy`] of a [`Kind`].
pub struct Typed<K>(PhantomData<fn() -> K>);

impl<K> Typed<K> {
    /// The one value of this type.
    pub const NEW: Self = Self(PhantomData);
}

/// Metadata that only the server writes.
const SERVER_METADATA: &[&str] = &["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/// `metadata.FIELD`, kept from the old object.
fn keep(object: &mut Value, old: &Value, fields: &[&str]) {
    for field in fields {
        copy(object, old, &format!("metadata.{field}"));
    }
}

/// The object as it was, except for what a write to a part may change.
fn only(object: &mut Value, old: &Value, paths: &[&str]) {
    let new = std::mem::replace(object, old.clone());
    for path in ["metadata.managedFields", "metadata.resourceVersion"].iter().chain(paths) {
        copy(object, &new, path);
    }
}

impl<K: Kind> Strategy for Typed<K> {
    fn info(&self) -> &'static KindInfo {
        const { &K::INFO }
    }

    fn decode(&self, json: &Value) -> Result<Decoded, Vec<Cause>> {
        let mut decoded = schema::decode(registry::definitions(), registry::shape(&K::INFO), json)?;
        let mut causes = Vec::new();
        for (field, own) in [("apiVersion", K::Object::API_VERSION), ("kind", K::Object::KIND)] {
            let found = decoded.object.text(field);
            if !found.is_empty() && found != own {
                causes.push(Cause::invalid(field, found, format!("must be {own}")));
            }
            set_default(&mut decoded.object, field, own);
        }
        if !causes.is_empty() {
            return Err(causes);
        }
        set_default(&mut decoded.object, "metadata", Value::Object(serde_json::Map::new()));
        Ok(decoded)
    }

    fn default(&self, object: &mut Value) {
        K::default(object);
    }

    fn prepare_create(&self, object: &mut Value, moment: &Moment) {
        for field in SERVER_METADATA {
            remove(object, &format!("metadata.{field}"));
        }
        remove(object, "metadata.generation");
        set(object, "metadata.creationTimestamp", moment.now.as_str());
        if K::INFO.has(Subresource::Status) && !K::CREATES_STATUS {
            remove(object, "status");
        }
        if K::INFO.counts_generations {
            set(object, "metadata.generation", 1);
        }
        K::prepare_create(object);
    }

    fn writes(&self, part: Option<Subresource>) -> Option<&'static [&'static str]> {
        match part? {
            Subresource::Status if K::STATUS_WRITES_METADATA => {
                Some(&["status", "metadata.labels", "metadata.annotations"])
            }
            Subresource::Status => Some(&["status"]),
            Subresource::Finalize => Some(&["spec.finalizers"]),
            Subresource::EphemeralContainers => Some(&["spec.ephemeralContainers"]),
            _ => None,
        }
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, part: Option<Subresource>) {
        match self.writes(part) {
            Some(paths) => only(object, old, paths),
            // A binding sets the node and the condition that says so, and is no change of the spec by its owner.
            None if part == Some(Subresource::Binding) => {}
            None if K::INFO.has(Subresource::Status) => copy(object, old, "status"),
            None => {}
        }
        keep(object, old, SERVER_METADATA);
        keep(object, old, &["generation", "generateName"]);
        if !object.has("metadata.uid") {
            keep(object, old, &["uid"]);
        }
        K::prepare_update(object, old, part);
        if K::INFO.counts_generations && part != Some(Subresource::Binding) && object.at("spec") != old.at("spec") {
            let generation = old.int("metadata.generation").unwrap_or(0);
            set(object, "metadata.generation", generation.saturating_add(1));
        }
    }

    fn validate(&self, object: &Value) -> Vec<Cause> {
        match typed(object) {
            Ok(object) => K::validate(&object),
            Err(causes) => causes,
        }
    }

    fn validate_update(&self, object: &Value, old: &Value, part: Option<Subresource>) -> Vec<Cause> {
        let mut causes = metadata::validate_update(object, old);
        match (typed(object), typed(old)) {
            (Ok(object), Ok(old)) => causes.extend(K::validate_update(&object, &old, part)),
            (Err(wrong), _) | (_, Err(wrong)) => causes.extend(wrong),
        }
        causes
    }

    fn warnings(&self, object: &Value) -> Vec<String> {
        K::warnings(object)
    }

    fn orphans_by_default(&self) -> bool {
        K::ORPHANS_BY_DEFAULT
    }

    fn creates_on_update(&self) -> bool {
        K::CREATES_ON_UPDATE
    }

    fn selectable_fields(&self) -> &'static [&'static str] {
        K::SELECTABLE
    }

    fn fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        K::SELECTABLE.iter().map(|path| (*path, K::field(object, path))).collect()
    }

    fn index(&self, object: &Value) -> Vec<(&'static str, String)> {
        K::index(object)
    }

    fn columns(&self) -> &'static [Column] {
        K::COLUMNS
    }

    fn cells(&self, object: &Value, now: &str) -> Vec<Value> {
        K::cells(object, now)
    }

    fn deletion_grace(&self, object: &Value) -> DeletionGrace {
        K::deletion_grace(object)
    }
}
