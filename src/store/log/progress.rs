//! Files that count what has been done to them: so that a disk that hangs is told from one that is slow.

use crate::files::{File, Files, Lock};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts operations that have ended, whichever thread waited for them. Clones count together.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU64>);

impl Progress {
    /// These files, counted.
    pub(crate) fn of(&self, files: Arc<dyn Files>) -> Arc<dyn Files> {
        Arc::new(Counted(files, self.clone()))
    }

    pub(crate) fn made(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn make(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn after<T>(&self, done: T) -> T {
        self.make();
        done
    }

    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(Counted(file, self.clone()))
    }
}

struct Counted<T: ?Sized>(Arc<T>, Progress);

impl Files for Counted<dyn Files> {
    fn place(&self) -> String {
        self.0.place()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.0.lock()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.0.open(name).map(|file| self.1.file(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.1.after(self.0.create(name)).map(|file| self.1.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.after(self.0.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.1.after(self.0.remove(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.1.after(self.0.sync_dir())
    }
}

impl File for Counted<dyn File> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(into, offset)
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.1.after(self.0.write_at(from, offset))
    }

    fn write_durably(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.1.after(self.0.write_durably(from, offset))
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.1.after(self.0.allocate(bytes))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.after(self.0.sync_data())
    }
}
