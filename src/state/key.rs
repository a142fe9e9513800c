//! Names of objects: group and resource, namespace, name. Never a version.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A resource as a key names it: `pods` for the core group, `apps/deployments` for others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource(#[serde(deserialize_with = "crate::shared_str::deserialize")] Arc<str>);

impl Resource {
    /// The key's form of a group (empty for core) and a plural resource name.
    pub fn new(group: &str, plural: &str) -> Self {
        if group.is_empty() { Self(plural.into()) } else { Self(format!("{group}/{plural}").into()) }
    }

    /// The text: `pods`, `apps/deployments`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The plural name within the group.
    pub fn plural(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, plural)| plural)
    }
}

impl From<&str> for Resource {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an object stands within its resource; orders lists by namespace, then name, as Kubernetes does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// Namespace; empty for cluster-scoped objects.
    #[serde(deserialize_with = "crate::shared_str::deserialize")]
    pub namespace: Arc<str>,
    /// Name.
    #[serde(deserialize_with = "crate::shared_str::deserialize")]
    pub name: Arc<str>,
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> Ordering {
        // Objects of a state share the text of their namespace ([`crate::shared_names`]): then there is nothing to read.
        let same = Arc::ptr_eq(&self.namespace, &other.namespace);
        let namespace = if same { Ordering::Equal } else { self.namespace.cmp(&other.namespace) };
        namespace.then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The full key of an object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Group and resource.
    pub resource: Resource,
    /// Namespace and name.
    pub object: ObjectName,
}

impl Key {
    /// A key from its parts; `namespace` is empty for cluster-scoped objects.
    pub fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self { resource: resource.clone(), object: ObjectName { namespace: namespace.into(), name: name.into() } }
    }

    /// Namespace; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        &self.object.namespace
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.object.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.object.namespace.is_empty() {
            write!(f, "{} {}", self.resource, self.object.name)
        } else {
            write!(f, "{} {}/{}", self.resource, self.object.namespace, self.object.name)
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
