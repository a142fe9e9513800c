//! A data directory of the operating system.

use super::real::{about, sync};
use super::{Files, RealFiles, Tree};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory with its subdirectories.
#[derive(Debug)]
pub struct RealTree {
    root: PathBuf,
}

impl RealTree {
    /// Opens a data directory; creates it, durably, if it is absent.
    ///
    /// # Errors
    /// It cannot be created or is no directory.
    pub fn open(root: &Path) -> io::Result<Self> {
        RealFiles::open(root)?;
        Ok(Self { root: root.to_owned() })
    }

    fn at(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }
}

impl Tree for RealTree {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn directory(&self, name: &str) -> io::Result<Arc<dyn Files>> {
        Ok(Arc::new(RealFiles::open(&self.at(name))?))
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let path = self.at(name);
        path.try_exists().map_err(|error| about(&path, "look for", &error))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let path = self.at(from);
        fs::rename(&path, self.at(to)).map_err(|error| about(&path, "rename", &error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.at(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(about(&path, "remove", &error)),
            _ => Ok(()),
        }
    }

    fn link(&self, file: &str, from: &str, to: &str) -> io::Result<()> {
        let path = self.at(from).join(file);
        fs::hard_link(&path, self.at(to).join(file)).map_err(|error| about(&path, "link", &error))
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        sync(&self.at(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn directories_are_made_moved_and_removed_and_files_linked() {
        let directory = tempfile::tempdir().unwrap();
        let tree = RealTree::open(&directory.path().join("data")).unwrap();
        let file = tree.directory("snapshots/7").unwrap().create("x").unwrap();
        file.write_at(b"hello", 0).unwrap();
        tree.directory("fresh").unwrap();
        tree.link("x", "snapshots/7", "fresh").unwrap();
        tree.rename("fresh", "state").unwrap();
        tree.sync("").unwrap();
        tree.remove("snapshots").unwrap();
        tree.remove("snapshots").unwrap();
        assert!(!tree.exists("snapshots").unwrap());
        assert!(!tree.exists("fresh").unwrap());
        let mut found = [0; 5];
        tree.directory("state").unwrap().open("x").unwrap().read_at(&mut found, 0).unwrap();
        assert_eq!(&found, b"hello");
        let absent = tree.link("x", "snapshots/7", "state").unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}
