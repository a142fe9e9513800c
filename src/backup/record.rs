//! What the blocks hold.

use raftsman_state::{Body, Key, Meta, Object};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its key.
    pub key: Key,
    /// The revision of its newest change.
    pub revision: u64,
    /// What was extracted from it.
    pub meta: Arc<Meta>,
    /// Its JSON without the revision.
    pub body: Body,
}

impl From<&Object> for Record {
    fn from(object: &Object) -> Self {
        Self { key: object.key.clone(), revision: object.revision, meta: object.meta.clone(), body: object.body() }
    }
}

/// A key or certificate of the cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    /// Its plain file name, such as `ca.key`.
    pub name: String,
    /// PEM text.
    pub content: String,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile {:?}", self.name)
    }
}
