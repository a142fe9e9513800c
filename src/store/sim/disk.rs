//! The disk of a simulated machine: what outlives processes and power cuts.

use crate::sim::Chance;
use crate::sim::content::Content;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How a machine goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process ends: nothing that it wrote is lost.
    Process,
    /// The power goes: what was not synced is lost, torn or kept.
    Power,
}

/// What a power cut leaves of what was not synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    All,
    /// Everything.
    Nothing,
    /// Of sectors, names and directories some.
    #[default]
    Torn,
}

impl Loss {
    /// So many of a hundred stay.
    pub(crate) fn stays(self) -> u64 {
        match self {
            Self::All => 0,
            Self::Nothing => 100,
            Self::Torn => 50,
        }
    }
}

/// What a disk does wrong, and how slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFaults {
    /// How long a sync takes.
    pub sync: Duration,
    /// How long any other write takes.
    pub write: Duration,
    /// How long a read takes.
    pub read: Duration,
    /// There is no space for anything new: what has its space can be written.
    pub full: bool,
    /// So many of a million operations fail.
    pub errors: u64,
    /// So many of a million operations are the last: the power goes in the middle of it.
    pub cuts: u64,
    /// The operation of this number is the last; reads are not counted.
    pub cut_at: Option<u64>,
    /// What a power cut leaves.
    pub loss: Loss,
}

/// What an operation costs that does not wait for the disk.
const TOUCH: Duration = Duration::from_micros(5);

impl Default for DiskFaults {
    fn default() -> Self {
        Self {
            sync: Duration::from_micros(200),
            write: TOUCH,
            read: TOUCH,
            full: false,
            errors: 0,
            cuts: 0,
            cut_at: None,
            loss: Loss::Torn,
        }
    }
}

pub(crate) type Inode = Arc<Mutex<Content>>;

/// The files of one directory: by name now, and what must be synced to stay so.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) now: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
    pending: Vec<NameChange>,
}

#[derive(Debug, Clone)]
pub(crate) enum NameChange {
    Added(String, Inode),
    Renamed(String, String),
    Removed(String),
}

impl Names {
    pub(crate) fn change(&mut self, change: NameChange) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(crate) fn sync(&mut self) {
        self.durable = self.now.clone();
        self.pending.clear();
    }

    fn cut(&mut self, chance: &mut Chance, loss: Loss) {
        for change in std::mem::take(&mut self.pending) {
            if chance.percent(loss.stays()) {
                apply(&mut self.durable, &change);
            }
        }
        for content in self.durable.values() {
            content.lock().cut(chance, loss);
        }
        self.now = self.durable.clone();
    }
}

fn apply(names: &mut BTreeMap<String, Inode>, change: &NameChange) {
    match change {
        NameChange::Added(name, inode) => drop(names.insert(name.clone(), inode.clone())),
        // If its creation was undone there is nothing to rename.
        NameChange::Renamed(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        NameChange::Removed(name) => drop(names.remove(name)),
    }
}

pub(crate) type Directories = BTreeMap<String, Arc<Mutex<Names>>>;

/// See the module.
pub(crate) struct SimDisk {
    pub(crate) directories: Directories,
    /// Earlier moments to which a power cut may go back, oldest first.
    before: Vec<Directories>,
    pub(crate) faults: DiskFaults,
    pub(crate) chance: Chance,
    /// Counts all operations that are no reads.
    pub(crate) operations: u64,
}

impl SimDisk {
    pub(crate) fn new(chance: Chance) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            directories: BTreeMap::new(),
            before: Vec::new(),
            faults: DiskFaults::default(),
            chance,
            operations: 0,
        }))
    }

    /// Whether there is space for something new.
    pub(crate) fn space(&self, what: &str) -> io::Result<()> {
        if self.faults.full {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{what}: no space left on the disk")));
        }
        Ok(())
    }

    /// A new directory, which no crash undoes.
    pub(crate) fn add(&mut self, name: &str) -> Arc<Mutex<Names>> {
        let names: Arc<Mutex<Names>> = Arc::default();
        for moment in self.before.iter_mut().chain([&mut self.directories]) {
            moment.insert(name.to_owned(), names.clone());
        }
        names
    }

    /// To be called before directories change.
    pub(crate) fn remember(&mut self) {
        self.before.push(self.directories.clone());
    }

    /// Which directories there are is durable now.
    pub(crate) fn forget(&mut self) {
        self.before.clear();
    }

    /// Goes through a crash.
    pub(crate) fn crash(&mut self, crash: Crash) {
        if crash == Crash::Process {
            return;
        }
        let mut before = std::mem::take(&mut self.before);
        let loss = self.faults.loss;
        let back = match loss {
            Loss::All => 0,
            Loss::Nothing => before.len(),
            Loss::Torn => self.chance.range(0..before.len() as u64 + 1) as usize,
        };
        if back < before.len() {
            self.directories = before.swap_remove(back);
        }
        for names in self.directories.values() {
            names.lock().cut(&mut self.chance, loss);
        }
    }

    /// Everything is gone.
    pub(crate) fn wipe(&mut self) {
        self.directories.clear();
        self.before.clear();
    }

    /// Turns a bit around in some file of a directory; false if it holds no bytes.
    pub(crate) fn flip(&mut self, directory: &str) -> bool {
        let Some(names) = self.directories.get(directory) else {
            return false;
        };
        let inodes: Vec<Inode> = names.lock().now.values().cloned().collect();
        match self.chance.pick(&inodes) {
            Some(inode) => {
                let inode = inode.clone();
                inode.lock().flip(&mut self.chance)
            }
            None => false,
        }
    }
}
