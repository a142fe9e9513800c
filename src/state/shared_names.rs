//! Names that many keys have in common, held once: less memory, and keys that share a namespace are told apart without
//! reading it.

use crate::{Key, ObjectName};
use std::collections::HashSet;
use std::sync::Arc;

/// Names that are remembered; beyond that it begins anew. Nothing depends on it but speed.
const MOST: usize = 16_384;

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct SharedNames(HashSet<Arc<str>>);

impl SharedNames {
    /// The same key, with the text of its namespace shared.
    pub(crate) fn share(&mut self, key: &Key) -> Key {
        let Key { resource, object: ObjectName { namespace, name } } = key.clone();
        Key { resource, object: ObjectName { namespace: self.shared(namespace), name } }
    }

    fn shared(&mut self, name: Arc<str>) -> Arc<str> {
        if let Some(held) = self.0.get(&*name) {
            return held.clone();
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    #[test]
    fn a_namespace_is_held_once_and_there_are_never_too_many() {
        let mut names = SharedNames::default();
        let key = |namespace: &str| Key::new(&Resource::from("pods"), namespace, "a");
        let (one, two) = (names.share(&key("default")), names.share(&key("default")));
        assert!(Arc::ptr_eq(&one.object.namespace, &two.object.namespace));
        assert_eq!((one, two), (key("default"), key("default")));
        for n in 0..MOST * 2 {
            assert_eq!(names.share(&key(&n.to_string())), key(&n.to_string()));
        }
        assert!(names.0.len() <= MOST);
    }
}
