//! A key-value engine on simulated files: a map in memory, of which a flush writes a table.
//!
//! Like the true one it keeps batches whole, loses what was not flushed, may flush by itself at any write, and knows its files
//! by checksums.

use crate::codec::{decode, encode};
use crate::disk::{Batch, Engine, Engines};
use crate::files::{Files, Tree};
use crate::rt::Context;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// So many of a million writes flush.
const FLUSHES: u64 = 5_000;

/// The name of the table that counts.
const CURRENT: &str = "CURRENT";

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) struct SimEngines {
    pub(crate) tree: Arc<dyn Tree>,
    pub(crate) life: Arc<Context>,
}

impl Engines for SimEngines {
    fn open(&self, name: &str) -> io::Result<Box<dyn Engine>> {
        let files = self.tree.directory(name)?;
        let mut map = Map::new();
        let mut number = 0;
        if files.list()?.iter().any(|held| held == CURRENT) {
            number = decode(&whole(&*files, CURRENT)?)?;
            map = decode(&whole(&*files, &table(number))?)?;
        }
        Ok(Box::new(SimEngine {
            tree: self.tree.clone(),
            name: name.to_owned(),
            life: self.life.clone(),
            files,
            map,
            number,
        }))
    }
}

struct SimEngine {
    tree: Arc<dyn Tree>,
    name: String,
    life: Arc<Context>,
    files: Arc<dyn Files>,
    map: Map,
    /// Of the newest table.
    number: u64,
}

fn table(number: u64) -> String {
    format!("{number:06}.sst")
}

fn whole(files: &dyn Files, name: &str) -> io::Result<Vec<u8>> {
    let file = files.open(name)?;
    let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
    file.read_at(&mut bytes, 0)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{}/{name} is damaged", files.place()));
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32fast::hash(content).to_le_bytes() != *sum {
        return Err(damaged());
    }
    let length = content.len();
    bytes.truncate(length);
    Ok(bytes)
}

fn put(files: &dyn Files, name: &str, bytes: &[u8]) -> io::Result<()> {
    if files.list()?.iter().any(|held| held == name) {
        files.remove(name)?;
    }
    let file = files.create(name)?;
    file.write_at(&[bytes, &crc32fast::hash(bytes).to_le_bytes()].concat(), 0)?;
    file.sync_data()
}

fn point(files: &dyn Files, number: u64) -> io::Result<()> {
    put(files, "CURRENT.new", &encode(&number)?)?;
    files.sync_dir()?;
    files.rename("CURRENT.new", CURRENT)?;
    files.sync_dir()
}

impl Engine for SimEngine {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.map.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
        let found = self.map.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        found.into_iter().try_for_each(|(key, value)| each(key, value))
    }

    fn write(&mut self, fill: &mut dyn FnMut(&mut dyn Batch) -> io::Result<()>) -> io::Result<()> {
        let mut batch = Pending::default();
        fill(&mut batch)?;
        for change in batch.0 {
            match change {
                Change::Put(key, value) => drop(self.map.insert(key, value)),
                Change::Delete(key) => drop(self.map.remove(&key)),
                Change::DeleteRange(from, to) => self.map.retain(|key, _| *key < from || *key >= to),
            }
        }
        if self.life.chance() % 1_000_000 < FLUSHES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let old = self.number;
        self.number += 1;
        put(&*self.files, &table(self.number), &encode(&self.map)?)?;
        point(&*self.files, self.number)?;
        if old > 0 { self.files.remove(&table(old)) } else { Ok(()) }
    }

    fn checkpoint(&mut self, name: &str) -> io::Result<()> {
        self.flush()?;
        let copy = self.tree.directory(name)?;
        self.tree.link(&table(self.number), &self.name, name)?;
        point(&*copy, self.number)
    }
}

#[derive(Default)]
struct Pending(Vec<Change>);

enum Change {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
}

impl Batch for Pending {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push(Change::Put(key.to_vec(), value.to_vec()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.push(Change::Delete(key.to_vec()));
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.push(Change::DeleteRange(from.to_vec(), to.to_vec()));
    }
}
