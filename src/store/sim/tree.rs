//! A data directory on a simulated disk, as one life of a machine sees it.

use crate::files::{Files, Tree};
use crate::rt::Context;
use crate::sim::Crash;
use crate::sim::disk::{NameChange, Names, SimDisk};
use crate::sim::file::SimFiles;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A process's access to its disk; it ends with the process.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) disk: Arc<Mutex<SimDisk>>,
    pub(crate) life: Arc<Context>,
}

impl Access {
    pub(crate) fn read(&self, what: &str) -> io::Result<()> {
        if self.life.dead() {
            return Err(off(what));
        }
        let cost = self.disk.lock().faults.read;
        self.life.charge(cost);
        Ok(())
    }

    /// Whether there is space for something new.
    pub(crate) fn space(&self, what: &str) -> io::Result<()> {
        self.disk.lock().space(what)
    }

    /// Something that a power cut in the middle of it may undo.
    pub(crate) fn write<T>(&self, what: &str, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let cost = self.disk.lock().faults.write;
        let last = self.begin(what, cost)?;
        let written = write();
        if last { self.cut(what) } else { written }
    }

    /// Something that a power cut in the middle of it prevents.
    pub(crate) fn sync<T>(&self, what: &str, sync: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let cost = self.disk.lock().faults.sync;
        if self.begin(what, cost)? { self.cut(what) } else { sync() }
    }

    /// Whether the power goes now.
    fn begin(&self, what: &str, cost: Duration) -> io::Result<bool> {
        if self.life.dead() {
            return Err(off(what));
        }
        self.life.charge(cost);
        let mut disk = self.disk.lock();
        disk.operations += 1;
        let faults = disk.faults;
        if faults.errors > 0 && disk.chance.millionths(faults.errors) {
            return Err(io::Error::other(format!("{what}: input/output error")));
        }
        let by_chance = faults.cuts > 0 && disk.chance.millionths(faults.cuts);
        Ok(by_chance || faults.cut_at == Some(disk.operations))
    }

    fn cut<T>(&self, what: &str) -> io::Result<T> {
        self.life.kill();
        self.disk.lock().crash(Crash::Power);
        Err(io::Error::other(format!("{what}: the power goes")))
    }
}

fn off(what: &str) -> io::Error {
    io::Error::other(format!("{what}: the machine is off"))
}

/// See the module.
pub(crate) struct SimTree {
    pub(crate) access: Access,
    pub(crate) root: String,
}

impl SimTree {
    fn names(&self, name: &str) -> io::Result<Arc<Mutex<Names>>> {
        self.access.disk.lock().directories.get(name).cloned().ok_or_else(|| self.wrong(name, "does not exist"))
    }

    fn wrong(&self, name: &str, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{}/{name} {what}", self.root))
    }
}

impl Tree for SimTree {
    fn place(&self) -> String {
        self.root.clone()
    }

    fn directory(&self, name: &str) -> io::Result<Arc<dyn Files>> {
        let place = format!("{}/{name}", self.root);
        let names = self.access.write(&place, || {
            let mut disk = self.access.disk.lock();
            if let Some(held) = disk.directories.get(name) {
                return Ok(held.clone());
            }
            disk.space(&place)?;
            Ok(disk.add(name))
        })?;
        Ok(Arc::new(SimFiles { access: self.access.clone(), place, names }))
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.access.read(name)?;
        let below = format!("{name}/");
        let disk = self.access.disk.lock();
        Ok(disk.directories.keys().any(|held| held == name || held.starts_with(&below)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.access.write(from, || {
            let mut disk = self.access.disk.lock();
            if disk.directories.contains_key(to) {
                return Err(self.wrong(to, "exists already"));
            }
            disk.remember();
            let held = disk.directories.remove(from).ok_or_else(|| self.wrong(from, "does not exist"))?;
            disk.directories.insert(to.to_owned(), held);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.access.write(name, || {
            let below = format!("{name}/");
            let mut disk = self.access.disk.lock();
            disk.remember();
            disk.directories.retain(|held, _| held != name && !held.starts_with(&below));
            Ok(())
        })
    }

    fn link(&self, file: &str, from: &str, to: &str) -> io::Result<()> {
        self.access.write(from, || {
            let (source, target) = (self.names(from)?, self.names(to)?);
            let inode = source.lock().now.get(file).cloned();
            let inode = inode.ok_or_else(|| self.wrong(&format!("{from}/{file}"), "does not exist"))?;
            target.lock().change(NameChange::Added(file.to_owned(), inode));
            Ok(())
        })
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.access.sync(name, || {
            self.access.disk.lock().forget();
            Ok(())
        })
    }
}
