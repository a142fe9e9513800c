//! Files that the store writes itself, behind a trait: the real ones here, simulated ones in tests.
//!
//! What the store assumes of a disk, and a simulated one may therefore do at a crash (power cut):
//!
//! - Bytes written since the last [`File::sync_data`] of a file may be there or not, **each sector of [`SECTOR`] bytes for
//!   itself** and in any order; a sector is never half old and half new. Synced bytes stay, also when the bytes around them
//!   are being written.
//! - A creation, removal or renaming may be undone until [`Files::sync_dir`] has returned; one that came earlier may be
//!   undone although a later one is not. A renaming is never half done.
//! - The end of a process alone loses nothing that was written.
//! - After a failed sync nothing is known about what was written before it; syncing again proves nothing.

mod direct;
#[cfg(test)]
pub(crate) mod faulty;
mod lock;
mod real;
mod real_tree;
mod tree;

pub use lock::DirectoryLock;
pub use real::RealFiles;
pub use real_tree::RealTree;
pub use tree::Tree;

use std::io;
use std::sync::Arc;

/// The unit that a disk writes wholly or not at all, in bytes.
pub const SECTOR: usize = 512;

/// What to do about damage that a member found in its data directory.
pub(crate) const MEND: &str = "To mend it, stop this master, remove the directory `store` below its `dataDir`, and nothing \
                               else, and start it again: it catches up from the others (a cluster of one is restored \
                               from a backup)";

/// The files of one directory. Names are plain file names.
pub trait Files: Send + Sync + 'static {
    /// The directory, for messages.
    fn place(&self) -> String;

    /// Makes the directory this process's alone until what it returns is dropped.
    ///
    /// # Errors
    /// It is in use.
    fn lock(&self) -> io::Result<Lock>;

    /// Names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that exists, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Creates an empty file that does not exist yet.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name, in the place of a file that may have had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name; who has it open keeps it.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    fn sync_dir(&self) -> io::Result<()>;
}

/// Holds a directory, see [`Files::lock`].
pub type Lock = Box<dyn std::any::Any + Send + Sync>;

/// An open file.
pub trait File: Send + Sync + 'static {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills the buffer from this offset; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes at this offset.
    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()>;

    /// [`File::write_at`] and then [`File::sync_data`], though perhaps of these bytes only.
    fn write_durably(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(from, offset)?;
        self.sync_data()
    }

    /// Makes the whole file this long and all zeroes, with space on the disk, so that a later sync after writing within it
    /// has no metadata to write. Durable after [`File::sync_data`].
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Everything written before is durable when this returns.
    fn sync_data(&self) -> io::Result<()>;
}
