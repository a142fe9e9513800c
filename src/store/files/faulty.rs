//! For tests: a directory in memory whose crash loses, tears and reorders what was not synced, as [`crate::files`] allows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{File, Files, Lock, SECTOR};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Random numbers from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }
}

/// How a crash treats what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Everything is lost.
    All,
    /// Nothing is: only the process ended.
    Nothing,
    /// Each sector and each name for itself.
    Torn,
}

/// What happens at an operation that is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends in the middle of it.
    Crash,
    /// It reports an error. If it is a sync, what it was to write is then taken for clean and never written.
    Error,
}

#[derive(Clone)]
enum Name {
    Put(String, u64),
    Gone(String),
}

#[derive(Clone, Default)]
struct Content {
    durable: Vec<u8>,
    live: Vec<u8>,
    /// By sector: what was written there since the last sync, in order.
    unsynced: BTreeMap<usize, Vec<[u8; SECTOR]>>,
}

impl Content {
    fn write(&mut self, from: &[u8], offset: usize) {
        let end = offset + from.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[offset..end].copy_from_slice(from);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let mut bytes = [0; SECTOR];
            let held = &self.live[sector * SECTOR..self.live.len().min((sector + 1) * SECTOR)];
            bytes[..held.len()].copy_from_slice(held);
            self.unsynced.entry(sector).or_default().push(bytes);
        }
    }

    fn sync(&mut self) {
        self.unsynced.clear();
        self.durable.clone_from(&self.live);
    }

    fn crash(&mut self, loss: Loss, dice: &mut Dice) {
        match loss {
            Loss::Nothing => return,
            Loss::All => {}
            Loss::Torn => {
                if dice.roll(2) == 0 {
                    self.durable.resize(self.live.len(), 0);
                }
                for (sector, versions) in &self.unsynced {
                    let at = sector * SECTOR;
                    let chosen = dice.roll(versions.len() as u64 + 1) as usize;
                    if let (Some(bytes), true) = (versions.get(chosen), at < self.durable.len()) {
                        let end = self.durable.len().min(at + SECTOR);
                        self.durable[at..end].copy_from_slice(&bytes[..end - at]);
                    }
                }
            }
        }
        self.unsynced.clear();
        self.live.clone_from(&self.durable);
    }
}

#[derive(Clone, Default)]
struct Disk {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    changes: Vec<Name>,
    next: u64,
    /// Operations done so far that change something.
    operations: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
}

impl Disk {
    /// Counts an operation; true if it is the one that fails.
    fn step(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(crashed());
        }
        self.operations += 1;
        let Some((at, fault)) = self.fault else { return Ok(false) };
        if self.operations != at {
            return Ok(false);
        }
        self.dead = fault == Fault::Crash;
        Ok(true)
    }

    fn change(&mut self, change: Name) {
        match &change {
            Name::Put(name, file) => drop(self.names.insert(name.clone(), *file)),
            Name::Gone(name) => drop(self.names.remove(name)),
        }
        self.changes.push(change);
    }
}

fn crashed() -> io::Error {
    io::Error::other("injected")
}

/// The directory. Clones are one and the same.
#[derive(Clone, Default)]
pub(crate) struct FaultyFiles(Arc<Mutex<Disk>>);

impl FaultyFiles {
    /// The operation that is to fail, counted from now on, beginning with 1.
    pub(crate) fn fail(&self, after: u64, fault: Fault) {
        let mut disk = self.0.lock();
        disk.fault = Some((disk.operations + after, fault));
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// What another process finds after a crash here and now. This one goes on undisturbed.
    pub(crate) fn after_crash(&self, loss: Loss, dice: &mut Dice) -> Self {
        let mut disk = self.0.lock().clone();
        disk.dead = false;
        disk.fault = None;
        disk.operations = 0;
        for content in disk.files.values_mut() {
            content.crash(loss, dice);
        }
        if loss != Loss::Nothing {
            for change in std::mem::take(&mut disk.changes) {
                if loss == Loss::Torn && dice.roll(2) == 0 {
                    match change {
                        Name::Put(name, file) => drop(disk.durable_names.insert(name, file)),
                        Name::Gone(name) => drop(disk.durable_names.remove(&name)),
                    }
                }
            }
            disk.names.clone_from(&disk.durable_names);
        }
        Self(Arc::new(Mutex::new(disk)))
    }

    /// Changes a file's bytes behind everybody's back.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.0.lock();
        let file = disk.names[name];
        let content = disk.files.get_mut(&file).unwrap();
        change(&mut content.live);
        content.sync();
    }
}

impl Files for FaultyFiles {
    fn place(&self) -> String {
        "memory".into()
    }

    fn lock(&self) -> io::Result<Lock> {
        Ok(Box::new(()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let disk = self.0.lock();
        let file = disk.names.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Arc::new(FaultyFile { disk: self.0.clone(), file: *file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        assert!(!disk.names.contains_key(name), "{name} exists");
        let failing = disk.step()?;
        if !failing || disk.dead {
            disk.next += 1;
            let file = disk.next;
            disk.files.insert(file, Content::default());
            disk.change(Name::Put(name.to_owned(), file));
        }
        if failing {
            return Err(crashed());
        }
        let file = disk.next;
        Ok(Arc::new(FaultyFile { disk: self.0.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        let file = *disk.names.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let failing = disk.step()?;
        if !failing || disk.dead {
            // Both names may be there after a crash: harsher than a real disk.
            disk.change(Name::Put(to.to_owned(), file));
            disk.change(Name::Gone(from.to_owned()));
        }
        if failing { Err(crashed()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        let failing = disk.step()?;
        if !failing || disk.dead {
            disk.change(Name::Gone(name.to_owned()));
        }
        if failing { Err(crashed()) } else { Ok(()) }
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.0.lock();
        if disk.step()? {
            return Err(crashed());
        }
        disk.changes.clear();
        disk.durable_names = disk.names.clone();
        Ok(())
    }
}

struct FaultyFile {
    disk: Arc<Mutex<Disk>>,
    file: u64,
}

impl FaultyFile {
    fn on<T>(&self, act: impl FnOnce(&mut Disk, u64) -> io::Result<T>) -> io::Result<T> {
        act(&mut self.disk.lock(), self.file)
    }
}

impl File for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.on(|disk, file| Ok(disk.files[&file].live.len() as u64))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.on(|disk, file| {
            let at = offset as usize;
            let bytes = disk.files[&file].live.get(at..at + into.len());
            into.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        self.on(|disk, file| {
            let failing = disk.step()?;
            let crash = disk.dead;
            let content = disk.files.get_mut(&file).unwrap();
            if !failing || crash {
                content.write(from, offset as usize);
            }
            if failing { Err(crashed()) } else { Ok(()) }
        })
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.on(|disk, file| {
            let failing = disk.step()?;
            let content = disk.files.get_mut(&file).unwrap();
            content.live.clear();
            content.write(&vec![0; bytes as usize], 0);
            if failing { Err(crashed()) } else { Ok(()) }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.on(|disk, file| {
            let failing = disk.step()?;
            let crash = disk.dead;
            let content = disk.files.get_mut(&file).unwrap();
            match (failing, crash) {
                (false, _) => {
                    content.sync();
                    Ok(())
                }
                (true, true) => Err(crashed()),
                (true, false) => {
                    content.unsynced.clear();
                    Err(crashed())
                }
            }
        })
    }
}
