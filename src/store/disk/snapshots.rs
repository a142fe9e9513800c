//! Snapshots as directories: the files of a checkpoint.

use crate::files::{Files, Tree};
use crate::raft::types::SnapshotMeta;
use crate::rt;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A directory with the files of a snapshot; removed when nobody holds it any more.
#[derive(Debug, Clone)]
pub struct SnapshotDir(Arc<Owned>);

struct Owned {
    tree: Arc<dyn Tree>,
    name: String,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let (tree, name) = (self.tree.clone(), std::mem::take(&mut self.name));
        // The Raft thread must not wait for it. What a runtime that ends leaves is removed at the next start.
        match tokio::runtime::Handle::try_current() {
            Ok(_) => drop(rt::spawn(rt::blocking(move || remove(&*tree, &name)))),
            Err(_) => remove(&*tree, &name),
        }
    }
}

fn remove(tree: &dyn Tree, name: &str) {
    if let Err(error) = tree.remove(name) {
        tracing::warn!(%error, "an old snapshot cannot be removed");
    }
}

impl SnapshotDir {
    pub(crate) fn own(tree: Arc<dyn Tree>, name: String) -> Self {
        Self(Arc::new(Owned { tree, name }))
    }

    /// Its name in the data directory.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Its directory, created if it does not exist yet.
    pub(crate) fn open(&self) -> io::Result<Arc<dyn Files>> {
        self.0.tree.directory(self.name())
    }

    /// Its files by name and size, sorted by name.
    pub(crate) fn files(&self) -> io::Result<Vec<(String, u64)>> {
        let directory = self.open()?;
        let sized = |name: String| directory.open(&name)?.size().map(|size| (name, size));
        directory.list()?.into_iter().map(sized).collect()
    }
}

/// The newest snapshot of this member.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) meta: SnapshotMeta,
    pub(crate) directory: SnapshotDir,
}

/// A name within a snapshot is a plain file name.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}
