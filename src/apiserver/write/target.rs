//! What a request is about.

use raftsman_api::kind::{KindInfo, Strategy, Subresource};
use raftsman_api::registry;
use raftsman_state::{Key, Object, Resource};
use std::fmt;

/// A kind, and an object of it or a part of one. An empty name stands for the collection (create).
#[derive(Clone)]
pub struct Target {
    /// The kind's rules.
    pub kind: &'static dyn Strategy,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name; empty when creating.
    pub name: String,
    /// A part with a path of its own.
    pub part: Option<Subresource>,
}

impl Target {
    /// The main resource of an object.
    pub fn new(kind: &'static dyn Strategy, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into(), part: None }
    }

    /// The target of a served kind by group (empty for core), version and plural; `None` if it is not served.
    pub fn named(group: &str, version: &str, plural: &str, namespace: &str, name: &str) -> Option<Self> {
        Some(Self::new(registry::by_resource(group, version, plural)?, namespace, name))
    }

    /// The target that an object of the store is; `None` for reservations.
    pub fn of(object: &Object) -> Option<Self> {
        let resource = &object.key.resource;
        let kind = registry::all().iter().copied().find(|kind| {
            let info = kind.info();
            info.group == resource.group() && info.plural == resource.plural()
        })?;
        Some(Self::new(kind, object.key.namespace(), object.key.name()))
    }

    /// The same object, another part.
    pub fn part(&self, part: Subresource) -> Self {
        Self { part: Some(part), ..self.clone() }
    }

    /// The same collection, an object of this name.
    pub fn named_as(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Names and scope of the kind.
    pub fn info(&self) -> &'static KindInfo {
        self.kind.info()
    }

    /// The store's name for the kind.
    pub fn resource(&self) -> Resource {
        Resource::new(self.info().group, self.info().plural)
    }

    /// The store's key of the object.
    pub fn key(&self) -> Key {
        Key::new(&self.resource(), &self.namespace, &self.name)
    }

    /// It is a kind of the core group with this plural.
    pub fn is_core(&self, plural: &str) -> bool {
        self.info().group.is_empty() && self.info().plural == plural
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.info().qualified(), self.namespace, self.name)?;
        self.part.map_or(Ok(()), |part| write!(f, "/{}", part.path()))
    }
}
