//! One change of one object, as history keeps it and watches read it.

use crate::{Key, Object};
use std::sync::Arc;

/// What happened to a key at a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The revision it took.
    pub revision: u64,
    /// The object after it; for a deletion the deleted object, moved to this revision.
    pub object: Arc<Object>,
    /// The object before it.
    pub previous: Option<Arc<Object>>,
    /// The key holds nothing after it.
    pub deleted: bool,
}

impl Change {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        &self.object.key
    }
}
