//! A member's data directory: directories of files.

use super::Files;
use std::io;
use std::sync::Arc;

/// The directories below one root, by plain names or relative paths with `/`.
///
/// What it assumes of a disk: creations, removals and renamings of directories are undone by a crash until [`Tree::sync`] of
/// the parent, the newest first.
pub trait Tree: Send + Sync + 'static {
    /// The root, for messages.
    fn place(&self) -> String;

    /// Opens a directory; creates it and its parents, durably, if absent.
    ///
    /// # Errors
    /// It cannot be created, or is no directory.
    fn directory(&self, name: &str) -> io::Result<Arc<dyn Files>>;

    /// Whether there is such a directory.
    ///
    /// # Errors
    /// It cannot be told.
    fn exists(&self, name: &str) -> io::Result<bool>;

    /// Gives a directory another name, which none has.
    ///
    /// # Errors
    /// It is absent, or the name is in use.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a directory with all that it holds; one that is absent is removed already.
    ///
    /// # Errors
    /// Something in it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file, which will never be written again, a second name in another directory.
    ///
    /// # Errors
    /// It is absent, or the name is in use.
    fn link(&self, file: &str, from: &str, to: &str) -> io::Result<()>;

    /// Makes durable which directories there are below this one; `""` is the root.
    ///
    /// # Errors
    /// It is absent, or the disk fails.
    fn sync(&self, name: &str) -> io::Result<()>;
}
