//! Simulated files as one life of a machine sees them.

use crate::files::{File, Files, Lock};
use crate::sim::disk::{Inode, NameChange, Names};
use crate::sim::tree::Access;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// One directory.
pub(crate) struct SimFiles {
    pub(crate) access: Access,
    pub(crate) place: String,
    pub(crate) names: Arc<Mutex<Names>>,
}

impl SimFiles {
    fn file(&self, name: &str, inode: Inode) -> Arc<dyn File> {
        Arc::new(SimFile { access: self.access.clone(), path: format!("{}/{name}", self.place), inode })
    }

    fn absent(&self, name: &str) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{}/{name} does not exist", self.place))
    }
}

impl Files for SimFiles {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn lock(&self) -> io::Result<Lock> {
        // A machine has one life at a time.
        self.access.read(&self.place)?;
        Ok(Box::new(()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.access.read(&self.place)?;
        Ok(self.names.lock().now.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.access.read(&self.place)?;
        let inode = self.names.lock().now.get(name).cloned().ok_or_else(|| self.absent(name))?;
        Ok(self.file(name, inode))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.access.write(&self.place, || {
            let mut names = self.names.lock();
            if names.now.contains_key(name) {
                let message = format!("{}/{name} exists already", self.place);
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            self.access.space(&self.place)?;
            let inode = Inode::default();
            names.change(NameChange::Added(name.to_owned(), inode.clone()));
            Ok(self.file(name, inode))
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.access.write(&self.place, || {
            let mut names = self.names.lock();
            if !names.now.contains_key(from) {
                return Err(self.absent(from));
            }
            names.change(NameChange::Renamed(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.access.write(&self.place, || {
            let mut names = self.names.lock();
            if !names.now.contains_key(name) {
                return Err(self.absent(name));
            }
            names.change(NameChange::Removed(name.to_owned()));
            Ok(())
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.access.sync(&self.place, || {
            self.names.lock().sync();
            Ok(())
        })
    }
}

struct SimFile {
    access: Access,
    path: String,
    inode: Inode,
}

impl File for SimFile {
    fn size(&self) -> io::Result<u64> {
        self.access.read(&self.path)?;
        Ok(self.inode.lock().len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.access.read(&self.path)?;
        let read = self.inode.lock().read(into, offset);
        read.map_err(|error| io::Error::new(error.kind(), format!("{}: ends before {offset} and on", self.path)))
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.access.write(&self.path, || {
            let mut content = self.inode.lock();
            if offset + from.len() as u64 > content.len() {
                self.access.space(&self.path)?;
            }
            content.write(from, offset);
            Ok(())
        })
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.access.write(&self.path, || {
            self.access.space(&self.path)?;
            self.inode.lock().renew(bytes);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.access.sync(&self.path, || {
            self.inode.lock().sync();
            Ok(())
        })
    }
}
