//! The key-value engine under the state: narrow, so that a simulation can put its own below the same code.

use std::io;
use std::sync::Arc;

/// Flushes a database from any thread; nothing once it is closed.
pub(crate) type Flusher = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// What a scan does with each key and its value.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>;

/// Operations that are applied at once or not at all.
pub(crate) trait Batch {
    fn put(&mut self, key: &[u8], value: &[u8]);
    fn delete(&mut self, key: &[u8]);
    /// Removes all keys of `from..to`.
    fn delete_range(&mut self, from: &[u8], to: &[u8]);
}

/// An open database. A crash leaves some earlier moment of it, never part of a batch, and at least what was flushed.
pub(crate) trait Engine: Send {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Every key that begins with `prefix`, in order.
    fn scan(&self, prefix: &[u8], each: Each<'_>) -> io::Result<()>;

    /// Writes what `fill` puts into a batch.
    fn write(&mut self, fill: &mut dyn FnMut(&mut dyn Batch) -> io::Result<()>) -> io::Result<()>;

    /// Everything written so far is on disk when this returns.
    fn flush(&mut self) -> io::Result<()>;

    /// Flushes beside writes, where the engine can.
    fn flusher(&self) -> Option<Flusher> {
        None
    }

    /// A copy of what was flushed, in a directory below the same root that does not exist yet.
    fn checkpoint(&mut self, name: &str) -> io::Result<()>;
}

/// Opens databases below one data directory.
pub(crate) trait Engines: Send + Sync {
    /// Opens the database in a directory, or creates it.
    fn open(&self, name: &str) -> io::Result<Box<dyn Engine>>;
}
