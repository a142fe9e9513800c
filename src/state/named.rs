//! An object as its table's map holds it: ordered by its own name, which stands nowhere else. So a chunk of the map that is
//! copied for a write counts one reference an object, and not three.

use crate::{Object, ObjectName};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// See the module. Two with the same name are equal, whatever they hold.
#[derive(Clone)]
pub(crate) struct Named(pub(crate) Arc<Object>);

impl Named {
    fn name(&self) -> &ObjectName {
        &self.0.key.object
    }
}

impl Borrow<ObjectName> for Named {
    fn borrow(&self) -> &ObjectName {
        self.name()
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Named {}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}
